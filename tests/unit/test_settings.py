"""Settings: what is wrong is named, secrets are not told, and paths do not depend on the working folder."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from data.errors import NotConfigured
from data.settings import ROOT, Scope, Settings, load_settings, parse_tokens

SECRET = "s3cr3t-t0ken-value"
TOKEN = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=",:+"), min_size=8)


def settings(**values: Any) -> Settings:
    return load_settings(_env_file=None, **values)


@given(st.dictionaries(TOKEN, st.sets(st.sampled_from(Scope), min_size=1), max_size=4))
def test_tokens_are_read_as_they_are_written(tokens: dict[str, set[Scope]]) -> None:
    text = " , ".join(f"{token}:{'+'.join(sorted(scopes))}" for token, scopes in tokens.items())
    assert parse_tokens(text) == {token: frozenset(scopes) for token, scopes in tokens.items()}


@pytest.mark.parametrize("text", ["", " ", ",", " , ,"])
def test_no_tokens_are_none(text: str) -> None:
    assert parse_tokens(text) == {}


def test_a_token_may_have_a_colon() -> None:
    assert parse_tokens("a:b:c:d:e:f:read") == {"a:b:c:d:e:f": frozenset({Scope.READ})}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (SECRET, "entry 1 must read token:scope"),
        (f"good-token:read,{SECRET}", "entry 2 must read token:scope"),
        (f"{SECRET}:", "entry 1 has an unknown scope"),
        (f"{SECRET}:everything", "entry 1 has an unknown scope"),
        (f"{SECRET}:read+", "entry 1 has an unknown scope"),
        (f"{SECRET}:read score", "entry 1 has an unknown scope"),
        (f"collect+score:{SECRET}", "entry 1 has an unknown scope"),
        (f"read:{SECRET}", "entry 1 must read token:scope"),
        (f"good-token:read,,{SECRET}:READ", "entry 2 has an unknown scope"),
        ("short:read", "8 characters or more"),
        (":read", "8 characters or more"),
    ],
)
def test_a_wrong_entry_is_named_by_its_place(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as refused:
        parse_tokens(text)
    assert SECRET not in str(refused.value)
    with pytest.raises(NotConfigured, match=f"LEADLOOP_API_TOKENS: .*{problem}") as stopped:
        settings(api_tokens=text)
    assert SECRET not in stopped.value.detail


@given(st.text(min_size=3))
def test_no_wrong_entry_is_ever_told(text: str) -> None:
    try:
        parse_tokens(f"{text}{SECRET}{text}")
    except ValueError as error:
        assert SECRET not in str(error)  # noqa: PT017
    else:
        assume(False)


def test_an_unknown_scope_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="the scopes are " + ", ".join(Scope)):
        parse_tokens("good-token:everything")


@pytest.mark.parametrize("name", [name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)])
def test_secrets_do_not_show(name: str) -> None:
    made = settings(**{name: "long-secret-value:read"})
    assert getattr(made, name).get_secret_value() == "long-secret-value:read"
    assert "long-secret" not in repr(made)
    assert "long-secret" not in made.model_dump_json()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hot_threshold", 0), ("hot_threshold", 1), ("hot_threshold", "often"), ("hot_threshold", "nan"),
        ("hot_share", 1), ("hot_share", "nan"),
        ("max_body_bytes", 10), ("log_level", "LOUD"), ("deliver_slack", "pigeon"), ("n8n_grace_seconds", -1), ("lease_seconds", 0),
        ("max_attempts", 0), ("sweep_seconds", "soon"), ("n8n_port", 70_000),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_as_the_variable(name: str, value: Any) -> None:
    with pytest.raises(NotConfigured, match=f"^LEADLOOP_{name.upper()}: ") as refused:
        settings(**{name: value})
    assert "docs/settings.md" in refused.value.detail


def test_all_wrong_values_are_named_at_once() -> None:
    with pytest.raises(NotConfigured, match=r"LEADLOOP_HOT_SHARE: .*LEADLOOP_N8N_PORT: "):
        settings(hot_share=2, n8n_port=0)


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADLOOP_HOT_THRESHOLD", "0.7")
    monkeypatch.setenv("LEADLOOP_HUBSPOT_TOKEN", SECRET)
    monkeypatch.setenv("HOT_SHARE", "0.5")
    made = settings()
    assert (made.hot_threshold, made.hubspot_token.get_secret_value(), made.hot_share) == (0.7, SECRET, 0.05)


def test_a_wrong_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADLOOP_MAX_ATTEMPTS", "many")
    with pytest.raises(NotConfigured, match=r"^LEADLOOP_MAX_ATTEMPTS: "):
        settings()


@pytest.mark.parametrize("value", ["auto", 0.5, "0.5"])
def test_the_threshold_is_a_number_or_auto(value: Any) -> None:
    assert settings(hot_threshold=value).hot_threshold in {"auto", 0.5}


@pytest.mark.parametrize("name", ["database_url", "mlflow_tracking_uri"])
@pytest.mark.parametrize(
    ("given_url", "url"),
    [
        ("sqlite:///data/var/x.db", f"sqlite:///{ROOT}/data/var/x.db"),
        ("sqlite:///x.db", f"sqlite:///{ROOT}/x.db"),
        ("sqlite:////srv/x.db", "sqlite:////srv/x.db"),
        ("sqlite://", "sqlite://"),
    ],
)
def test_a_relative_sqlite_path_begins_at_the_projects_root(name: str, given_url: str, url: str) -> None:
    assert getattr(settings(**{name: given_url}), name) == url


def test_relative_paths_begin_at_the_projects_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = settings(var_dir="elsewhere")
    assert made.models_dir.resolve() == ROOT / "elsewhere" / "models"
    assert settings(var_dir=tmp_path).var_dir == tmp_path


@pytest.mark.parametrize("given_scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_a_postgres_address_names_our_driver(given_scheme: str) -> None:
    made = settings(database_url=f"{given_scheme}://me:postgres@db/leadloop")
    assert made.database_url == "postgresql+psycopg://me:postgres@db/leadloop"
    assert not made.is_sqlite


def test_an_address_of_mlflow_stays_as_it_is() -> None:
    assert settings(mlflow_tracking_uri="http://mlflow:5000").mlflow_tracking_uri == "http://mlflow:5000"


@pytest.mark.parametrize("url", ["https://slack.com/api", "https://slack.com/api/", "https://slack.com/api//"])
def test_slacks_address_ends_in_one_slash(url: str) -> None:
    assert settings(slack_base_url=url).slack_base_url == "https://slack.com/api/"


def test_settings_cannot_be_changed() -> None:
    made = settings()
    with pytest.raises(ValueError, match="frozen"):
        made.hot_share = 0.5


def test_another_process_reads_the_same_settings_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = settings(
        database_url="postgresql://user:pass@host/db", var_dir="elsewhere", slack_token=SECRET, hot_threshold="auto",
        retrain=False, api_tokens=f"{SECRET}:read+score", hot_share=0.07,
    )  # fmt: skip
    for name, value in ours.environment().items():
        monkeypatch.setenv(name, value)
    assert settings() == ours


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        ({"account_currency": " eur "}, {"account_currency": "EUR"}),
        ({"account_locale": "de-at"}, {"account_locale": "de_AT"}),
        ({"account_currency": " ", "account_locale": ""}, {"account_currency": "", "account_locale": ""}),
        ({"combined_score_weights": "lead_score:2, churn:-.5,"}, {"weights": {"lead_score": 2.0, "churn": -0.5}}),
        ({}, {"weights": {}}),
    ],
    ids=str,
)
def test_money_and_weights_are_read_as_they_are_meant(given_: dict[str, str], kept: dict[str, Any]) -> None:
    assert {name: getattr(settings(**given_), name) for name in kept} == kept


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("account_currency", "Euro", "three letters"),
        ("account_locale", "xx_XX", "a language"),
        ("combined_score_weights", "lead_score", "entry 1 must read model:weight"),
        ("combined_score_weights", "a:1,:2", "entry 2 must read model:weight"),
        ("combined_score_weights", "a:inf", "entry 1 must read model:weight"),
    ],
)
def test_what_is_no_currency_locale_or_weight_is_refused(name: str, value: str, said: str) -> None:
    with pytest.raises(NotConfigured, match=f"LEADLOOP_{name.upper()}: .*{said}"):
        settings(**{name: value})
