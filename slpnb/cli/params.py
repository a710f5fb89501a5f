"""``slpnb params``: every parameter with its value, its meaning and where it comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from slpnb.cli import options
from slpnb.cli.tables import print_table

if TYPE_CHECKING:
    import pandas as pd

    from slpnb.config import Config


@click.command("params")
@options.environment
@click.option("--section", help="Only this section, such as task.")
@options.parameter_options
def command(environment: str, section: str | None, **given: Any) -> None:
    """Show the parameters: value, meaning, and where each is set."""
    table = _table(options.load(environment, given), section)
    print_table(table.columns, table.itertuples(index=False))


def _table(config: Config, section: str | None) -> pd.DataFrame:
    """Every parameter, a row each, or those of a section. Raises `ParameterError` for one that there is not."""
    import pandas as pd

    from slpnb.config.parameters import Section
    from slpnb.errors import ParameterError

    sections = [name for name in type(config).model_fields if isinstance(getattr(config, name), Section)]
    if section is not None and section not in sections:
        raise ParameterError(f"--section {section}: the sections are {', '.join(sections)}")
    tables = [config.table(name) for name in ([section] if section else sections)]
    return pd.concat(tables).reset_index()
