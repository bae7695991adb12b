"""Where this project's parts come from: its lock files, licences and bill of materials.

Runs from a checkout; never installed. It imports nothing of the package that needs torch.
"""
