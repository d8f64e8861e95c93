"""Everything one running sandbox knows: its accounts, tokens, fault plan and DIAN. Lives in memory only."""

from collections.abc import Callable

from sandbox.state.accounts import Account, AccountBook
from sandbox.state.config import SandboxConfig
from sandbox.state.dian import Dian
from sandbox.state.faults import FaultPlan
from sandbox.state.tokens import TokenRegistry
from sandbox.values.durations import Latency
from sandbox.values.seeded_random import draw


class SandboxState:
    """
    Args:
        prepare: Called with each account that is opened, also after a reset.
    """

    def __init__(
        self, config: SandboxConfig, prepare: Callable[["SandboxState", Account], None] = lambda state, account: None
    ) -> None:
        self.config = config
        self._prepare = prepare
        self.reset()

    def reset(self) -> None:
        """As after a start: nothing stored, nothing counted, the fault plan of the configuration."""
        config = self.config
        self.accounts = AccountBook(
            config.rate_limit,
            config.rate_window_s,
            lambda account: self._prepare(self, account),
            reuses_numbers=config.reuses_numbers,
        )
        self.tokens = TokenRegistry(config.token_lifetime_s)
        self.plan = FaultPlan(config.seed, config.faults)
        self.dian = Dian(config.seed, config.notice_share)
        self.n_unidentified = 0
        self.n_edge_refusals = 0
        self.n_bad_logins = 0
        self._n_pauses = 0
        self.radian_ahead_s = 0.0
        """How far RADIAN's clock has been moved. Tokens, limits and DIAN go by the other one."""

    def radian_now(self) -> float:
        """When RADIAN events happen, and what has come about by then."""
        return self.now() + self.radian_ahead_s

    def now(self) -> float:
        return self.config.now()

    async def sleep(self, seconds: float) -> None:
        await self.config.sleep(seconds)

    async def pause(self, latency: Latency) -> None:
        """Take as long as Factus would."""
        if latency.high_s <= 0:
            return
        self._n_pauses += 1
        share = draw(self.config.seed, "latency", self._n_pauses)
        await self.sleep(latency.low_s + (latency.high_s - latency.low_s) * share)
