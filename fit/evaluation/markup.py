"""HTML and SVG from nested calls. Text is escaped unless it came from here."""

from html import escape

_VOID = {"meta", "img", "link"}  # elements of HTML that have no end tag


class Markup(str):
    """Text that needs no more escaping."""


def tag(element: str, *children: str, **attributes: str | float | bool | None) -> Markup:
    """An element with its attributes and children.

    Args:
        element: its name.
        children: Markup as it is, any other text escaped.
        attributes: underscores become hyphens, and one at the end goes (``class_``). None and False leave an attribute out,
            True writes its name alone. Numbers keep two decimals.
    """
    opening = "".join(["<", element, *(_attribute(name, value) for name, value in attributes.items()), ">"])
    return Markup(opening if element in _VOID else f"{opening}{joined(children)}</{element}>")


def joined(children: "tuple[str, ...] | list[str]") -> Markup:
    """Children one after the other, text escaped."""
    return Markup("".join(child if isinstance(child, Markup) else escape(child) for child in children))


def _attribute(name: str, value: str | float | bool | None) -> str:
    name = name.rstrip("_").replace("_", "-")
    match value:
        case None | False:
            return ""
        case True:
            return f" {name}"
        case float():
            value = f"{value:.2f}".rstrip("0").rstrip(".")
    return f' {name}="{escape(str(value))}"'
