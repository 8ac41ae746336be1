"""The templates: everything is escaped, a name that is not there is an error."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, select_autoescape

from gateway.errors import RequestRefused

FOLDER = Path(__file__).parent

_templates = Environment(
    loader=FileSystemLoader(FOLDER / "templates"),
    autoescape=select_autoescape(),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def template(name: str) -> Template:
    """A template of this folder."""
    return _templates.get_template(name)


def refusal_page(refused: RequestRefused) -> str:
    """A refusal for people: what a problem document says, and the way back."""
    return template("refusal.html").render(problem=refused.problem.value, detail=refused.detail)
