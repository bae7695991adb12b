"""What makes the documentation site of docs/ and of other pages of the project (`make site`)."""
