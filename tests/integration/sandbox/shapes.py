"""What Pipedrive and Slack publish of their answers: the fields of each kind of row and their types, as far as the loop meets them.

https://developers.pipedrive.com/docs/api/v1/openapi.yaml and openapi-v2.yaml (their nulls are not told there: any field but `id`
may be null), https://github.com/slackapi/slack-api-specs (of 2021; `app_id` and the pages' cursor came later).
"""

import re
from typing import Any

TYPES: dict[str, tuple[type, ...]] = {
    "numbers": (int, float), "texts": (str,), "flags": (bool,), "lists": (list,), "objects": (dict,)
}  # fmt: skip
OF_AN_ACCOUNT = re.compile("[0-9a-f]{40}")  # the key of a field of an account's own, beside the others in API v1
_DATED = "add_time update_time"

NEWER: dict[str, dict[str, str]] = {
    "persons": {
        "numbers": "id owner_id org_id visible_to picture_id",
        "texts": f"name first_name last_name notes birthday job_title {_DATED}",
        "flags": "is_deleted", "lists": "emails phones label_ids im", "objects": "postal_address custom_fields",
    },
    "organizations": {
        "numbers": "id owner_id visible_to industry annual_revenue employee_count", "texts": f"name website linkedin {_DATED}",
        "flags": "is_deleted", "lists": "label_ids", "objects": "address custom_fields",
    },
    "deals": {
        "numbers": "id owner_id person_id org_id pipeline_id stage_id value probability visible_to channel arr mrr acv",
        "texts": f"""title currency stage_change_time status lost_reason close_time won_time lost_time expected_close_date origin
            origin_id channel_id source_lead_id {_DATED}""",
        "flags": "is_deleted is_archived", "lists": "label_ids", "objects": "custom_fields",
    },
    "activities": {
        "numbers": "id owner_id creator_user_id deal_id person_id org_id project_id priority",
        "texts": f"""subject type lead_id due_date due_time duration marked_as_done_time conference_meeting_client
            conference_meeting_url conference_meeting_id public_description note {_DATED}""",
        "flags": "is_deleted busy done", "lists": "participants attendees", "objects": "location",
    },
    "products": {
        "numbers": "id tax owner_id billing_frequency_cycles visible_to",
        "texts": f"name code unit description category billing_frequency {_DATED}",
        "flags": "is_deleted is_linkable", "lists": "prices", "objects": "custom_fields",
    },
    "pipelines": {"numbers": "id order_nr", "texts": f"name {_DATED}", "flags": "is_deleted is_deal_probability_enabled"},
    "stages": {
        "numbers": "id order_nr deal_probability pipeline_id days_to_rotten", "texts": f"name {_DATED}",
        "flags": "is_deleted is_deal_rot_enabled",
    },
}  # fmt: skip
_USER = {
    "numbers": "id lang role_id",
    "texts": "name default_currency locale email phone last_login created modified timezone_name timezone_offset icon_url",
    "flags": "activated has_created_company active_flag is_you is_deleted", "lists": "access",
}  # fmt: skip
OLDER: dict[str, dict[str, str]] = {
    "leads": {
        "numbers": "owner_id creator_id person_id organization_id channel source_deal_id next_activity_id",
        "texts": f"id title source_name origin origin_id channel_id expected_close_date cc_email visible_to {_DATED}",
        "flags": "is_archived was_seen", "lists": "label_ids", "objects": "value",
    },
    "notes": {
        "numbers": "id deal_id last_update_user_id org_id person_id project_id task_id user_id",
        "texts": f"content lead_id {_DATED}",
        "flags": """active_flag pinned_to_deal_flag pinned_to_organization_flag pinned_to_person_flag pinned_to_project_flag
            pinned_to_task_flag""",
        "objects": "deal organization person project task user",
    },
    "users": _USER,
    "users/me": {
        **_USER, "numbers": f"{_USER['numbers']} company_id", "objects": "language",
        "texts": f"{_USER['texts']} company_name company_domain company_country company_industry",
    },
    "currencies": {"numbers": "id decimal_points", "texts": "code name symbol", "flags": "active_flag is_custom_flag"},
    "webhooks": {
        "numbers": "id company_id owner_id user_id is_active last_http_status admin_id",
        "texts": """event_action event_object subscription_url version add_time remove_time type http_auth_user http_auth_password
            remove_reason last_delivery_time name""",
    },
    "participants": {
        "numbers": "id related_item_id", "texts": "add_time related_item_type", "flags": "active_flag",
        "objects": "person_id person related_item_data added_by_user_id",
    },
    "changelog": {
        "numbers": "actor_user_id", "texts": "field_key old_value new_value time change_source change_source_user_agent",
        "flags": "is_bulk_update_flag",
    },
    "flow": {"texts": "object timestamp", "objects": "data"},
}  # fmt: skip
NEWER_FIELD = {
    "texts": "field_name field_code field_type", "lists": "options subfields", "flags": "is_custom_field is_optional_response_field"
}  # fmt: skip
# Without what the loop never asks for: who may see and sort by a field.
OLDER_FIELD = {
    "numbers": "id order_nr", "texts": "key name field_type",
    "flags": "active_flag edit_flag important_flag bulk_edit_allowed mandatory_flag",
}  # fmt: skip
SLACK: dict[str, dict[str, str]] = {
    "auth.test": {"texts": "url team user team_id user_id bot_id", "flags": "ok"},
    "chat.postMessage": {"texts": "channel ts", "objects": "message", "flags": "ok"},
    "chat.update": {"texts": "channel ts text", "objects": "message", "flags": "ok"},
    "chat.delete": {"texts": "channel ts", "flags": "ok"},
    "conversations.list": {"lists": "channels", "objects": "response_metadata", "flags": "ok"},
    "conversations.info": {"objects": "channel", "flags": "ok"},
    "conversations.history": {
        "lists": "messages", "numbers": "pin_count channel_actions_count", "texts": "channel_actions_ts", "flags": "ok has_more",
        "objects": "response_metadata",
    },
}  # fmt: skip
REFUSED = {"flags": "ok", "texts": "error"}
MESSAGE = {"texts": "type text user bot_id app_id team ts", "lists": "blocks"}


def misfits(row: dict[str, Any], shape: dict[str, str]) -> list[str]:
    """What a row has that its vendor publishes nothing of, what it lacks, and what is of another type."""
    wanted = {name: TYPES[types] for types, names in shape.items() for name in names.split()}
    found = [f"{name} is missing" for name in wanted.keys() - row.keys()]
    found += [f"{name} is unheard of" for name in row.keys() - wanted.keys() if not OF_AN_ACCOUNT.fullmatch(name)]
    found += [
        f"{name} is {row[name]!r}"
        for name, types in wanted.items()
        if row.get(name) is not None and (not isinstance(row[name], types) or (isinstance(row[name], bool) and bool not in types))
    ]
    if "id" in wanted and row.get("id") is None:
        found.append("id is null")
    return sorted(found)
