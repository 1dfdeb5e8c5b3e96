"""Commands that stories name, so that each means its own document and none of the same id."""

import shlex
from collections.abc import Sequence
from dataclasses import fields, replace

import msgspec

from callspool.request.identity import Scope
from callspool_ledger.reads.views import Story
from callspool_ledger.selectors import Selector


def narrow_each(stories: Sequence[Story], asked: Selector) -> list[Story]:
    """The stories of one id, their next steps narrowed to the scope where scopes differ.

    Confirming or resending one document by a command that means others of the same id would lose
    one of them or call somebody twice. ``asked``: what all of these stories have in common.
    """
    return [_narrow(story, [each.scope for each in stories], asked) for story in stories]


def _narrow(story: Story, scopes: Sequence[Scope], asked: Selector) -> Story:
    wanted = Selector(*story.scope)
    for field in fields(Selector):
        part = getattr(wanted, field.name)
        same = field.name == "lane" or all(getattr(each, field.name) == part for each in scopes)
        if same and getattr(asked, field.name) is None:
            wanted = replace(wanted, **{field.name: None})
    if wanted == Selector():
        return story
    one = f"--document-id {shlex.quote(story.document_id)}"
    step = story.next_step.replace(f"{one}`", f"{one} {wanted.flags}`")
    return msgspec.structs.replace(story, next_step=step)
