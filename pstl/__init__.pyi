from pstl.errors import UserError as UserError
from pstl.hub.embedder import Embedder as Embedder
from pstl.hub.embedder import load as load
from pstl.hub.places import list_weights as list_weights
from pstl.hub.transformer import SkeletonFeatures as SkeletonFeatures

__version__: str
DOOR: dict[str, str]
