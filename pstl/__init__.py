"""pstl: self-supervised learning on human skeleton sequences, reproduced, compared and shared."""

__version__ = "0.1.0"
