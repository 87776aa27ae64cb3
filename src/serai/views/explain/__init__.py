"""Why things are as they are: everything that applies to one object, in words."""

from serai.views.explain.explanation import Explained, Explanation, text
from serai.views.explain.what import explain

__all__ = ["Explained", "Explanation", "explain", "text"]
