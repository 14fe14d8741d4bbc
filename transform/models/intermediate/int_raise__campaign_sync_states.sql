-- Whether each campaign syncs now, since when without a break, and what the beginning of that is known by.
with window_changes as (
    select
        organization,
        campaign_id,
        campaign_name,
        can_sync,
        valid_from,
        valid_to,
        evidence,
        coalesce(
            can_sync is distinct from lag(can_sync) over time_line
            or row_number() over time_line = 1,
            true
        ) as is_switch
    from {{ ref('campaign_sync_windows') }}
    window time_line as (partition by organization, campaign_id order by valid_from asc nulls first)
)

select
    organization,
    campaign_id,
    campaign_name,
    can_sync,
    valid_from as can_sync_since,
    evidence
from window_changes
where is_switch
qualify row_number() over (partition by organization, campaign_id order by valid_from desc nulls last) = 1
