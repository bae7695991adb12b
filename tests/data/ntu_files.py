"""Files of NTU RGB+D as tests make them."""

FOLDER = "nturgb+d_skeletons"
