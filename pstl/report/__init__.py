"""Tables, pictures and the page of a suite: ours, theirs, and the difference."""
