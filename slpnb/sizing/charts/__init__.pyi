"""The charts of the sizing questions: a table in, a Figure out; `show` displays it."""

from .fleet import day as day, headroom as headroom, lanes as lanes, remaining as remaining, zones as zones
from .measured import container_memory as container_memory
from .style import Chart as Chart, show as show
from .tables import fit_map as fit_map, memory as memory, prices as prices, timeline as timeline
