"""The scopes that the documents ask for are enough: three for a public channel, three for a private one."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from automation.clients.slack import SlackClient
from automation.doctor.vendors import SLACK_SCOPES
from automation.doctor.vendors import slack as look_at_slack
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from data.errors import Permanent
from data.settings import ROOT
from tests.conftest import LoopFactory

PUBLIC, PRIVATE = SLACK_SCOPES
BLOCK = {"type": "divider", "block_id": "b1"}


def bot(sandbox: Sandbox, addresses: Addresses, scopes: tuple[str, ...], *, private: bool) -> SlackClient:
    sandbox.slack_account.scopes, sandbox.channels["sales"].private = scopes, private
    return SlackClient("slack-token", addresses.slack)


@pytest.mark.parametrize(("scopes", "private"), [(PUBLIC, False), (PRIVATE, True), ((*PUBLIC, *PRIVATE[1:]), True)])
def test_with_the_scopes_of_its_channel_a_bot_does_all_that_it_is_asked_for(
    sandbox: Sandbox, addresses: Addresses, scopes: tuple[str, ...], private: bool
) -> None:
    since = datetime.now(UTC) - timedelta(minutes=1)
    ts = bot(sandbox, addresses, scopes, private=private).post("#sales", "x", [BLOCK])
    after_a_restart = SlackClient("slack-token", addresses.slack)
    assert after_a_restart.find("#sales", ["b1"], since) == {"b1": ts}
    assert after_a_restart.membership("#sales") == (True, private)
    after_a_restart.update("#sales", ts, "y", [BLOCK])
    after_a_restart.delete("#sales", ts)
    assert sandbox.messages() == []


def test_a_private_channel_that_the_bot_may_not_see_is_told_with_the_scope_that_lacks(
    sandbox: Sandbox, addresses: Addresses
) -> None:
    with pytest.raises(Permanent, match=r"no channel #sales .*groups:read is needed"):
        bot(sandbox, addresses, PUBLIC, private=True).find("#sales", ["b1"], datetime.now(UTC))


def test_slack_refuses_a_list_of_both_kinds_to_who_may_see_one(sandbox: Sandbox, addresses: Addresses) -> None:
    sandbox.slack_account.scopes = PUBLIC
    client = WebClient("slack-token", base_url=addresses.slack, retry_handlers=[])
    with pytest.raises(SlackApiError) as caught:
        client.conversations_list(types="public_channel,private_channel")
    assert (caught.value.response["error"], caught.value.response["needed"]) == ("missing_scope", "groups:read")
    assert [row["name"] for row in client.conversations_list()["channels"]] == ["sales"]


@pytest.mark.parametrize("scope", ["chat:write", "channels:history", "channels:read"])
def test_a_scope_that_lacks_is_named(sandbox: Sandbox, addresses: Addresses, scope: str) -> None:
    client = bot(sandbox, addresses, tuple(name for name in PUBLIC if name != scope), private=False)
    with pytest.raises(Permanent, match=f"{scope} is needed"):
        client.update("#sales", client.post("#sales", "x", [BLOCK]), "y", [BLOCK])
        SlackClient("slack-token", addresses.slack).find("#sales", ["b1"], datetime.now(UTC) - timedelta(minutes=1))


@pytest.mark.parametrize(("scopes", "private"), [(PUBLIC, False), (PRIVATE, True)])
def test_the_doctor_asks_for_the_scopes_of_the_channel_that_there_is(
    make_loop: LoopFactory, sandbox: Sandbox, addresses: Addresses, scopes: tuple[str, ...], private: bool
) -> None:
    bot(sandbox, addresses, scopes, private=private)
    assert [finding.health for finding in look_at_slack(make_loop(addresses, model=False))] == ["ok", "ok"]
    bot(sandbox, addresses, scopes[:2], private=private)
    assert [(one.health, scopes[2] in one.said) for one in look_at_slack(make_loop(addresses, model=False))] == [
        ("warning", True), ("ok", False),
    ]  # fmt: skip


def test_the_doctor_says_what_a_private_channel_needs_where_none_is_seen(
    make_loop: LoopFactory, sandbox: Sandbox, addresses: Addresses
) -> None:
    bot(sandbox, addresses, PUBLIC, private=True)
    *_, channel = look_at_slack(make_loop(addresses, model=False))
    assert (channel.health, "groups:read and groups:history" in channel.remedy) == ("bad", True)


@pytest.mark.parametrize("name", [".env.example", "README.md", "docs/operations.md", "docs/settings.md"])
def test_every_document_names_the_scopes_that_the_doctor_looks_for(name: str) -> None:
    found = set(re.findall(r"(?:chat|channels|groups):[a-z]+", (Path(ROOT) / name).read_text()))
    assert found == {*PUBLIC, *PRIVATE}
