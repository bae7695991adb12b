"""What measures this project: its speed, and its code. Runs from a checkout; never installed."""
