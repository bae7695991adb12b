"""What a user of weights needs: load, embed, export, import of released weights, scoring."""
