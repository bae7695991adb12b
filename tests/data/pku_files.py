"""Files of PKU-MMD as tests make them."""

JOINTS = 25


def row(value=0.5, count=150, blank=" "):
    return blank.join([str(value)] * count)
