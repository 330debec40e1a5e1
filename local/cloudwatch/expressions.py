"""Metric math: arithmetic on series, FILL, and SUM, AVG, MIN and MAX over several series.

Grammar: CloudWatch user guide, "Using math expressions with CloudWatch metrics". What is not here is refused.
"""

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

Points = Mapping[int, float]  # value by the start of its period
Value = Points | float

_ARITHMETIC: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_OVER_SERIES: dict[str, Callable[[Sequence[float]], float]] = {
    "SUM": sum,
    "AVG": fmean,
    "MIN": min,
    "MAX": max,
}


class ExpressionError(ValueError):
    """An expression that CloudWatch or this region does not understand."""


def compute(expression: str, series: Mapping[str, Points], periods: Sequence[int]) -> Points:
    """The expression's series, over the starts of these periods. Raises `ExpressionError`."""
    try:
        tree = ast.parse(expression.strip(), mode="eval").body
    except SyntaxError:
        raise ExpressionError(f"Error in expression '{expression}': syntax") from None
    value = _Evaluation(series, periods).of(tree)
    return value if isinstance(value, Mapping) else dict.fromkeys(periods, value)


class _Evaluation:
    def __init__(self, series: Mapping[str, Points], periods: Sequence[int]) -> None:
        self._series = series
        self._periods = periods

    def of(self, node: ast.expr) -> Value:
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            return float(node.value)
        if isinstance(node, ast.Name) and node.id in self._series:
            return self._series[node.id]
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return self._combine(operator.sub, 0.0, self.of(node.operand))
        if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
            return self._combine(_ARITHMETIC[type(node.op)], self.of(node.left), self.of(node.right))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
            return self._call(node.func.id, node.args)
        raise ExpressionError(f"Error in expression: {ast.unparse(node)} is not supported here")

    def _call(self, name: str, arguments: list[ast.expr]) -> Value:
        if name == "FILL" and len(arguments) == 2:
            return self._fill(self.of(arguments[0]), arguments[1])
        if name in _OVER_SERIES and len(arguments) == 1:
            # A period counts when any of the series has a value in it.
            several = self._several(arguments[0])
            found = {at: [one[at] for one in several if at in one] for at in self._periods}
            return {at: _OVER_SERIES[name](values) for at, values in found.items() if values}
        raise ExpressionError(f"Error in expression: {name} is not supported here")

    def _several(self, node: ast.expr) -> list[Points]:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "METRICS":
            return list(self._series.values())
        if isinstance(node, ast.List):
            values = [self.of(each) for each in node.elts]
            return [
                each if isinstance(each, Mapping) else dict.fromkeys(self._periods, each) for each in values
            ]
        raise ExpressionError("Error in expression: a list of series or METRICS() is wanted")

    def _fill(self, points: Value, by: ast.expr) -> Value:
        if not isinstance(points, Mapping):
            return points
        if not (isinstance(by, ast.Name) and by.id == "REPEAT"):
            filler = self.of(by)
            if isinstance(filler, Mapping):
                return {at: points[at] if at in points else filler.get(at, 0.0) for at in self._periods}
            return {at: points.get(at, filler) for at in self._periods}
        filled: dict[int, float] = {}
        for at in self._periods:
            if at in points:
                filled[at] = points[at]
            elif filled:
                filled[at] = next(reversed(filled.values()))
        return filled

    def _combine(self, how: Callable[[float, float], float], left: Value, right: Value) -> Value:
        """Period by period; one without a value on either side, or divided by zero, has none."""
        if not isinstance(left, Mapping) and not isinstance(right, Mapping):
            return how(left, right)
        combined = {}
        for at in self._periods:
            one = left.get(at) if isinstance(left, Mapping) else left
            other = right.get(at) if isinstance(right, Mapping) else right
            if one is None or other is None or (how is operator.truediv and other == 0):
                continue
            combined[at] = how(one, other)
        return combined
