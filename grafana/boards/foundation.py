"""A dashboard as Grafana wants it: the spec, through grafana-foundation-sdk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from grafana.alerting.rule import anchor
from grafana.boards.panels import KINDS

if TYPE_CHECKING:
    from grafana_foundation_sdk.cog.builder import Builder

    from grafana.boards.spec import Board, Panel

SOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
TAG = "callspool"

VARIABLES = {
    "account": ("Account", 'label_values(callspool_documents{job="$job"}, account)'),
    "worker": ("Worker", "label_values(callspool_worker_processes, instance)"),
}


def dashboard_json(board: Board, runbook: str) -> str:
    """Returns the file that Grafana provisions."""
    text: str = JSONEncoder(sort_keys=True, indent=2).encode(_dashboard(board, runbook).build())
    return text + "\n"


def _dashboard(board: Board, runbook: str) -> build.Dashboard:
    built = (
        build.Dashboard(board.title)
        .uid(board.uid)
        .description(board.description)
        .tags([TAG])
        .time("now-3h", "now")
        .refresh("30s")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .link(_siblings())
        .link(_link("Runbook", runbook))
    )
    for variable in _variables(board):
        built.with_variable(variable)
    number = 0
    for row in board.rows:
        built.with_row(build.Row(row.title))
        for panel in row.panels:
            number += 1
            built.with_panel(_panel(panel, number, runbook))
    return built


def _variables(board: Board) -> list[Builder[model.VariableModel]]:
    source = build.DatasourceVariable("datasource").label("Data source").type("prometheus")
    job = (
        build.QueryVariable("job")
        .label("Installation")
        .query("label_values(callspool_up, job)")
        .datasource(SOURCE)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
    )
    return [source, job, *(_choice(name) for name in board.selects)]


def _choice(name: str) -> build.QueryVariable:
    label, query = VARIABLES[name]
    return (
        build.QueryVariable(name)
        .label(label)
        .query(query)
        .datasource(SOURCE)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(model.VariableOption(selected=True, text="All", value="$__all"))
    )


def _siblings() -> build.DashboardLink:
    return (
        build.DashboardLink("callspool")
        .type(model.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .include_vars(True)
        .keep_time(True)
    )


def _link(title: str, url: str) -> build.DashboardLink:
    link = build.DashboardLink(title).type(model.DashboardLinkType.LINK)
    return link.url(url).icon("doc").target_blank(True)


def _panel(panel: Panel, number: int, runbook: str) -> Builder[model.Panel]:
    built = KINDS[panel.kind](panel)
    built.id(number).title(panel.title).description(panel.description).datasource(SOURCE)
    built.span(panel.width).height(panel.height).unit(panel.unit)
    if panel.runbook:
        built.links([_link(f"Runbook: {panel.runbook}", runbook + anchor(panel.runbook))])
    if panel.decimals is not None:
        built.decimals(panel.decimals)
    for place, query in enumerate(panel.queries):
        target = Dataquery().expr(query.expr).ref_id(chr(ord("A") + place)).datasource(SOURCE)
        target.legend_format(query.legend or "__auto")
        if panel.kind in ("stat", "table"):
            target.instant()
        else:
            target.range()
        if panel.kind == "table":
            target.format(PromQueryFormat.TABLE)
        if panel.kind == "heatmap":
            target.format(PromQueryFormat.HEATMAP)
        built.with_target(target)
    return built
