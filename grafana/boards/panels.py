"""Each kind of panel, dressed so that it can be read from across a dark room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders import common as build_common
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import heatmap, stat, table, timeseries
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode

from grafana.boards.spec import GREEN, RED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from grafana.boards.spec import Panel


def _thresholds(panel: Panel, base: str) -> build.ThresholdsConfig:
    steps = [model.Threshold(value=None, color=base)]
    steps += [model.Threshold(value=value, color=color) for value, color in panel.steps]
    return build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps)


def _stat(panel: Panel) -> stat.Panel:
    last = build_common.ReduceDataOptions().calcs(["lastNotNull"]).values(False)
    return (
        stat.Panel()
        .thresholds(_thresholds(panel, GREEN if panel.steps else "text"))
        .color_scheme(build.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
        .graph_mode(common.BigValueGraphMode.NONE)
        .color_mode(common.BigValueColorMode.VALUE)
        .text_mode(common.BigValueTextMode.VALUE)
        .reduce_options(last)
        .no_value("none")
    )


def _lines(panel: Panel) -> timeseries.Panel:
    legend = (
        build_common.VizLegendOptions()
        .show_legend(True)
        .display_mode(common.LegendDisplayMode.TABLE)
        .placement(common.LegendPlacement.BOTTOM)
        .calcs(["lastNotNull", "max"])
    )
    tooltip = build_common.VizTooltipOptions()
    tooltip.mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING)
    built = (
        timeseries.Panel()
        .draw_style(common.GraphDrawStyle.LINE)
        .line_width(2)
        .fill_opacity(8)
        .show_points(common.VisibilityMode.NEVER)
        .span_nulls(False)
        .axis_soft_min(0)
        .legend(legend)
        .tooltip(tooltip)
        .thresholds(_thresholds(panel, "transparent"))
    )
    if panel.steps:
        style = build_common.GraphThresholdsStyleConfig()
        built.thresholds_style(style.mode(common.GraphThresholdsStyleMode.DASHED))
    _color(built, panel.colors)
    return built


def _color(built: timeseries.Panel, colors: Mapping[str, str]) -> None:
    for name, color in colors.items():
        fixed = {"mode": "fixed", "fixedColor": color}
        built.override_by_name(name, [model.DynamicConfigValue(id_val="color", value=fixed)])


def _stack(panel: Panel) -> timeseries.Panel:
    stacked = build_common.StackingConfig().mode(common.StackingMode.NORMAL).group("A")
    return _lines(panel).stacking(stacked).line_width(1).fill_opacity(40)


def _bars(panel: Panel) -> timeseries.Panel:
    return _stack(panel).draw_style(common.GraphDrawStyle.BARS).fill_opacity(80)


def _heatmap(panel: Panel) -> heatmap.Panel:
    scheme = heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Oranges").steps(64)
    return (
        heatmap.Panel()
        .calculate(False)
        .color(scheme)
        .cell_gap(1)
        .y_axis(heatmap.YAxisConfig().unit(panel.unit))
        .thresholds(_thresholds(panel, GREEN))
    )


def _table(panel: Panel) -> table.Panel:
    hidden = {"excludeByName": {"Time": True, "Value": True}}
    order = {"indexByName": {"alertname": 0, "severity": 1, "account": 2}}
    names = {"renameByName": {"alertname": "alert"}}
    organized = model.DataTransformerConfig(id_val="organize", options=hidden | order | names)
    page = {"mode": "fixed", "fixedColor": RED}
    return (
        table.Panel()
        .thresholds(_thresholds(panel, GREEN))
        .transformations([organized])
        .no_value("none")
        .override_by_name("alert", [model.DynamicConfigValue(id_val="color", value=page)])
    )


Built = stat.Panel | timeseries.Panel | heatmap.Panel | table.Panel

KINDS: Mapping[str, Callable[[Panel], Built]] = {
    "stat": _stat,
    "lines": _lines,
    "stack": _stack,
    "bars": _bars,
    "heatmap": _heatmap,
    "table": _table,
}
