"""Where in a photo the evidence for a class lies, read off the model's class maps.

Class activation maps: B. Zhou et al., "Learning Deep Features for Discriminative Localization", CVPR 2016. They are
exact here: the model applies its head before the pooling, so that the mean of a class's map is that class's logit.
"""

import numpy as np
from numpy.typing import NDArray

from .document import Heatmap
from .input_rule import Box

_DECIMALS = 3


def heatmap(class_map: NDArray[np.float32], area: Box) -> Heatmap:
    """The document of one class's map [h, w] that covers `area` of the upright photo, in its pixels.

    0 stands for no evidence, or evidence against the class, and 1 for the strongest evidence in this map. What speaks
    against a class is left out as in Grad-CAM (R. Selvaraju et al., ICCV 2017). A class that nothing in the photo
    speaks for has zeros only.
    """
    evidence = np.maximum(class_map.astype(np.float64), 0)
    strongest = evidence.max()
    values = np.round(evidence / strongest if strongest > 0 else evidence, _DECIMALS)
    height, width = values.shape
    left, top, right, bottom = (round(edge, 1) for edge in area)
    return {
        "width": width,
        "height": height,
        "values": values.ravel().tolist(),
        "area": {"left": left, "top": top, "right": right, "bottom": bottom},
    }
