"""Clipping of the gradient by its 2-norm, n → norm, c → max_norm.

    g ← g · min(1, c / (n + 10⁻⁶))

Source: Pascanu et al., "On the difficulty of training recurrent neural networks" (arXiv 1211.5063), Algorithm 1;
https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.clip_grad_norm_.html, whose 10⁻⁶ it is.
"""

from __future__ import annotations

from harness.optimizers.optimizer import Scalar, V


def clipped(gradient: V, max_norm: float, norm: Scalar) -> V:
    """The gradient at a length of max_norm at most. norm: its length, by the framework's own operation."""
    excess = norm + 1e-6 - max_norm
    # max(0, excess) in arithmetic that a compiled function takes too: exactly 0 where nothing is to be clipped.
    above = (excess + abs(excess)) / 2
    shortened: V = gradient * (max_norm / (max_norm + above))
    return shortened
