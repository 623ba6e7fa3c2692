"""The same features as an analyst would write them in DuckDB's SQL: join the examples with what they show, aggregate."""

from collections.abc import Sequence

from data.domain.outcome import ENDINGS
from ml.features.activity import WINDOW_DAYS
from ml.features.engagement import COUNTERS, GROWTH_DAYS
from ml.features.facts import DAY
from ml.features.notes import LONGEST, NEWEST
from tests.bench.features_data import OF_COMPANY

ENDS = {"won": "", "lost": "NOT"}
# `rank` orders facts by (occurred, known, id), so that one number decides which of them has the value.
PREPARE = """
CREATE TABLE f AS
SELECT *, row_number() OVER (ORDER BY occurred, known, id) AS rank FROM (
    SELECT id, entity, kind, event, name, value, target, epoch_us(occurred_at) AS occurred, epoch_us(known_at) AS known,
           greatest(occurred, known) AS visible
    FROM facts WHERE NOT by_us AND NOT starts_with(name, 'predicted_'));
CREATE TABLE happened AS
SELECT entity, any_value(occurred) AS occurred, min(visible) AS visible FROM f WHERE event IS NOT NULL GROUP BY event, entity;
CREATE TABLE e AS SELECT row, entity, epoch_us(as_of) AS moment FROM examples;
CREATE TABLE owner_company AS
SELECT row, any_value(moment) AS moment, any_value(e.entity) AS entity, arg_max_null(target, rank) AS company
FROM e JOIN f ON f.entity = e.entity AND f.visible <= e.moment AND f.name = 'associatedcompanyid' GROUP BY row;
CREATE TABLE ended AS
SELECT links.target AS company, links.entity AS deal, won, greatest(links.visible, ends.visible) AS visible FROM
    (SELECT entity, target, min(visible) AS visible FROM f WHERE kind = 'deal' AND target IS NOT NULL GROUP BY ALL) links
    JOIN (SELECT entity, lower(value) = 'closedwon' AS won, min(visible) AS visible FROM f
          WHERE kind = 'deal' AND name = 'dealstage' AND lower(value) IN ('closedwon', 'closedlost') GROUP BY ALL) ends
    ON links.entity = ends.entity;
"""


def lead_score(names: Sequence[str]) -> str:
    """One row per example; `names` are the contact's own properties."""
    told = [f"{_value(name)} AS {name}" for name in (*COUNTERS, "channel", "is_first_visit", *names)]
    before = [
        f"{_value(name, f'AND f.visible <= e.moment - {days * DAY}')} AS {name}_{days}d"
        for days in GROWTH_DAYS
        for name in COUNTERS
    ]
    growths = [
        f"try_cast({name} AS DOUBLE) - try_cast({name}_{days}d AS DOUBLE) AS {name}_growth_{days}d"
        for days in GROWTH_DAYS
        for name in COUNTERS
    ]
    counter = f"f.name IN {COUNTERS} AND f.value IS NOT NULL"
    return f"""
WITH told AS (
    SELECT row, any_value(e.moment) AS moment, {", ".join([*told, *before])},
        {_value("hubspot_owner_id")} AS owner,
        max(f.occurred) FILTER ({counter}) AS last_change, min(f.occurred) FILTER ({counter}) AS first_change,
        count(DISTINCT f.occurred) FILTER ({counter}) AS changes
    FROM e LEFT JOIN f ON f.entity = e.entity AND f.visible <= e.moment GROUP BY row)
SELECT told.row, {", ".join(COUNTERS)}, lower(trim(channel)) AS channel,
    coalesce(is_first_visit, CAST(try_cast(sessions AS DOUBLE) <= 1 AS VARCHAR)) AS is_first_visit,
    {", ".join(growths)},
    (told.moment - last_change) / {DAY} AS engagement_recency_days,
    CASE WHEN changes > 1 THEN (last_change - first_change) / {DAY} / (changes - 1) END AS engagement_cadence_days,
    activity.* EXCLUDE (row), owner, 0.0 AS earlier_deals_won, 0.0 AS earlier_deals_lost,
    {_company_columns()}, {NOTE_COLUMNS}{"".join(f", {name}" for name in names)}
FROM told JOIN ({_activity()}) activity USING (row) LEFT JOIN ({_company("FALSE")}) company USING (row)
LEFT JOIN ({_notes("person_id")}) notes USING (row) ORDER BY told.row"""


def win_probability(names: Sequence[str]) -> str:
    """One row per example; `names` are the deal's own properties."""
    told = "".join(f", {_value(name)} AS {name}" for name in names)
    return f"""
WITH stages AS (
    SELECT row, moment, value, occurred, rank, value IS DISTINCT FROM lag(value) OVER w AS moved
    FROM (SELECT e.row, e.moment, f.value, f.occurred, f.rank FROM e JOIN f ON f.entity = e.entity AND f.visible <= e.moment
          AND f.name = 'dealstage' AND f.value IS NOT NULL) WINDOW w AS (PARTITION BY row ORDER BY rank)),
stage AS (
    SELECT row, arg_max(value, rank) AS deal_stage, (any_value(moment) - max(occurred) FILTER (moved)) / {DAY} AS days_in_stage,
        count(*) FILTER (moved) - 1 AS stages_passed,
        stages_passed / (greatest(any_value(moment) - min(occurred), {DAY}) / {7 * DAY}) AS stages_per_week
    FROM stages GROUP BY row),
amounts AS (
    SELECT row, amount, rank, amount - lag(amount) OVER w AS change
    FROM (SELECT e.row, try_cast(f.value AS DOUBLE) AS amount, f.rank FROM e JOIN f ON f.entity = e.entity AND f.visible <= e.moment
          AND f.name = 'amount') WHERE amount IS NOT NULL WINDOW w AS (PARTITION BY row ORDER BY rank)),
amount AS (
    SELECT row, arg_max(amount, rank) AS deal_amount, deal_amount / nullif(arg_min(amount, rank), 0) AS amount_to_first,
        count(*) FILTER (change > 0) AS amount_raises, count(*) FILTER (change < 0) AS amount_cuts
    FROM amounts GROUP BY row),
told AS (
    SELECT row, {_value("hubspot_owner_id")} AS owner{told} FROM e LEFT JOIN f ON f.entity = e.entity AND f.visible <= e.moment
    GROUP BY row)
SELECT told.row, deal_stage, days_in_stage, stages_passed, stages_per_week, CAST(NULL AS DOUBLE) AS days_in_stage_to_norm,
    deal_amount, amount_to_first, amount_raises, amount_cuts, activity.* EXCLUDE (row), owner,
    CAST(NULL AS DOUBLE) AS earlier_deals_won, CAST(NULL AS DOUBLE) AS earlier_deals_lost,
    {_company_columns()}, {NOTE_COLUMNS}{"".join(f", {name}" for name in names)}
FROM told LEFT JOIN stage USING (row) LEFT JOIN amount USING (row) JOIN ({_activity()}) activity USING (row)
LEFT JOIN ({_company("x.deal = c.entity")}) company USING (row) LEFT JOIN ({_notes("deal_id")}) notes USING (row)
ORDER BY told.row"""


# No word of the invented notes has a mood: what takes the time of finding that out is ours alone.
MOOD = "CASE WHEN notes_written > 0 THEN 0.0 END"
NOTE_COLUMNS = (
    "note_text, coalesce(notes_written, 0) AS notes_written, days_since_note, "
    f"{MOOD} AS notes_sentiment, {MOOD} AS last_note_sentiment"
)


def _notes(name: str) -> str:
    """The notes whose property names the example's entity, and did so at its moment, as they were then."""
    plain = r"trim(regexp_replace(regexp_replace(value, '</?[a-zA-Z][^>]*>', ' ', 'g'), '\s+', ' ', 'g'))"
    return f"""
    WITH named AS (SELECT DISTINCT e.row, e.entity, e.moment, f.entity AS note
                   FROM e JOIN f ON f.target = e.entity AND f.visible <= e.moment AND f.kind = 'note' AND f.name = '{name}'),
    theirs AS (SELECT row, note, any_value(moment) AS moment FROM named JOIN f ON f.entity = note AND f.visible <= named.moment
               AND f.name = '{name}' GROUP BY row, note HAVING arg_max_null(f.target, f.rank) = any_value(named.entity)),
    bodies AS (SELECT row, note, any_value(moment) AS moment, arg_max_null(f.value, f.rank) AS value,
               arg_max(f.occurred, f.rank) AS occurred, max(f.rank) AS place
               FROM theirs JOIN f ON f.entity = note AND f.visible <= theirs.moment AND f.name = 'hs_note_body' GROUP BY row, note),
    newest AS (SELECT *, row_number() OVER (PARTITION BY row ORDER BY place DESC) AS number FROM bodies WHERE value IS NOT NULL)
    SELECT row, left(string_agg({plain}, chr(10) ORDER BY place DESC) FILTER (number <= {NEWEST}), {LONGEST}) AS note_text,
        CAST(count(*) AS DOUBLE) AS notes_written, (any_value(moment) - max(occurred)) / {DAY} AS days_since_note
    FROM newest GROUP BY row"""


def _value(name: str, condition: str = "") -> str:
    return f"arg_max_null(f.value, f.rank) FILTER (f.name = '{name}' {condition})"


def _activity() -> str:
    def lately(days: int) -> str:
        return f"count(*) FILTER (h.occurred > e.moment - {days * DAY})"

    counts = [f"{lately(days)} AS events_{days}d" for days in WINDOW_DAYS]
    trends = [f"({lately(days)} + 1) / ({lately(2 * days)} - {lately(days)} + 1) AS events_trend_{days}d" for days in WINDOW_DAYS]
    return f"""
    SELECT e.row, {", ".join([*counts, *trends])},
        (any_value(e.moment) - min(h.occurred)) / {DAY} AS days_since_first_event,
        (any_value(e.moment) - max(h.occurred)) / {DAY} AS days_since_last_event
    FROM e LEFT JOIN happened h ON h.entity = e.entity AND h.visible <= e.moment GROUP BY e.row"""


def _company_columns() -> str:
    counts = [f"CASE WHEN company.company IS NOT NULL THEN deals_{end} END AS company_deals_{end}" for end in ENDS]
    return ", ".join([*counts, *(f"company_{name}" for name in OF_COMPANY)])


def _company(itself: str) -> str:
    """Per example its company's properties, and how the company's deals ended, but for the example's own."""
    assert {name for name, _ in ENDINGS} == {
        "dealstage",
        "hs_is_closed_won",
        "hs_is_closed_lost",
        "status",
    }  # the first is told here
    values = "".join(f", {_value(name)} AS company_{name}" for name in OF_COMPANY)
    counts = [f"count(*) FILTER ({sign} x.won AND NOT ({itself})) AS deals_{end}" for end, sign in ENDS.items()]
    return f"""
    SELECT * FROM (SELECT c.row, any_value(c.company) AS company{values} FROM owner_company c
                   LEFT JOIN f ON f.entity = c.company AND f.visible <= c.moment GROUP BY c.row) own
    JOIN (SELECT c.row, {", ".join(counts)} FROM owner_company c
          LEFT JOIN ended x ON x.company = c.company AND x.visible <= c.moment GROUP BY c.row) counted USING (row)"""
