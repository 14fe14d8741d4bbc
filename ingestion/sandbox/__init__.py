"""A simulated organization on Virtuous Raise and CRM+, behind real HTTP on loopback.

It shares no code with the clients that read it: two readings of the same documentation, so that a misreading shows.
`serve` answers until it is stopped; `running` starts a sandbox in a process of its own and yields a `Handle`. Both
products live on one port, Raise under `/raise` and CRM+ under `/crm-plus`, and `/_sandbox` moves the clock, tells the
truth about every record and switches faults.
"""

from .faults import FAULTS
from .process import Handle, running, running_several
from .server import IDS_OF_ONE, Sandbox, serve
from .world.state import SCALES, Options

__all__ = ["FAULTS", "IDS_OF_ONE", "SCALES", "Handle", "Options", "Sandbox", "running", "running_several", "serve"]
