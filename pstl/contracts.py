"""What a plug-in is: data set, recipe, encoder, method, task, and what passes between them.

Importing this module imports neither torch nor a plug-in, so that the rules and the commands that
read data can ask for a contract at once.
"""
