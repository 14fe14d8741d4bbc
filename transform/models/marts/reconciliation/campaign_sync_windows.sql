-- The time line of each campaign's sync switch, without gaps and overlaps. A boundary belongs to the later window:
-- `valid_from` is inclusive, `valid_to` exclusive, an open end is null.
with versions as (
    select
        organization,
        campaign_id,
        can_sync,
        dbt_valid_from as seen_from
    from {{ ref('campaigns_snapshot') }}
    -- two runs may share one clock; then the later version is the one that stayed
    qualify
        row_number() over (
            partition by organization, campaign_id, dbt_valid_from
            order by coalesce(dbt_valid_to, 'infinity'::timestamptz) desc
        ) = 1
),

version_changes as (
    select
        *,
        coalesce(
            can_sync is distinct from lag(can_sync) over (partition by organization, campaign_id order by seen_from),
            true
        ) as is_change
    from versions
),

numbered_versions as (
    select
        *,
        count(*) filter (where is_change) over (
            partition by organization, campaign_id
            order by seen_from
        ) as state_number
    from version_changes
),

states as (
    select
        organization,
        campaign_id,
        state_number,
        can_sync,
        min(seen_from) as seen_from
    from numbered_versions
    group by organization, campaign_id, state_number, can_sync
),

followed_states as (
    select
        *,
        lead(seen_from) over (partition by organization, campaign_id order by seen_from) as next_seen_from
    from states
),

complete_reads as (
    select
        organization,
        started_at,
        coalesce(finished_at, started_at) as finished_at
    from {{ ref('stg_raise__load_audit') }}
    where resource = 'campaigns' and is_complete
),

campaigns as (
    select
        campaigns.organization,
        campaigns.campaign_id,
        campaigns.campaign_name,
        -- from then on no read shows the state any more
        least(campaigns.deleted_at, quarantine.quarantined_since) as unseen_since
    from {{ ref('stg_raise__campaigns') }} as campaigns
    left join {{ ref('int_recon__open_quarantine') }} as quarantine
        on
            campaigns.organization = quarantine.organization
            and campaigns.campaign_id = quarantine.record_key
            and quarantine.source = 'raise'
            and quarantine.resource = 'campaigns'
),

-- a state is known from the first read that saw it to the last complete read that saw it still
known_states as (
    select
        followed_states.organization,
        followed_states.campaign_id,
        followed_states.can_sync,
        followed_states.seen_from,
        greatest(followed_states.seen_from, max(complete_reads.started_at)) as seen_to
    from followed_states
    left join campaigns
        on
            followed_states.organization = campaigns.organization
            and followed_states.campaign_id = campaigns.campaign_id
    left join complete_reads
        on
            followed_states.organization = complete_reads.organization
            and followed_states.seen_from <= complete_reads.started_at
            and coalesce(followed_states.next_seen_from, 'infinity'::timestamptz) > complete_reads.finished_at
            and coalesce(campaigns.unseen_since, 'infinity'::timestamptz) > complete_reads.started_at
    -- a version that does not say whether the campaign syncs ends the one before it and is no state of its own
    where followed_states.can_sync is not null
    group by
        followed_states.organization,
        followed_states.campaign_id,
        followed_states.can_sync,
        followed_states.seen_from
),

neighboured_states as (
    select
        *,
        lag(seen_to) over time_line as previous_seen_to,
        lead(seen_from) over time_line as next_seen_from
    from known_states
    window time_line as (partition by organization, campaign_id order by seen_from)
),

-- between two known states each reaches to the middle of the gap
bounded_states as (
    select
        *,
        previous_seen_to
        + to_microseconds((epoch_us(seen_from) - epoch_us(previous_seen_to)) // 2) as reaches_back_to,
        seen_to + to_microseconds((epoch_us(next_seen_from) - epoch_us(seen_to)) // 2) as reaches_on_to
    from neighboured_states
),

pieces as (
    select
        organization,
        campaign_id,
        can_sync,
        reaches_back_to as valid_from,
        seen_from as valid_to,
        'assumed' as evidence
    from bounded_states
    union all
    select
        organization,
        campaign_id,
        can_sync,
        seen_from as valid_from,
        seen_to as valid_to,
        'snapshot' as evidence
    from bounded_states
    union all
    select
        organization,
        campaign_id,
        can_sync,
        seen_to as valid_from,
        reaches_on_to as valid_to,
        'assumed' as evidence
    from bounded_states
),

-- a state that was seen at one instant only has no length: what is assumed around it closes over it
lasting_pieces as (
    select
        *,
        coalesce(valid_from, '-infinity'::timestamptz) as starts_at,
        coalesce(valid_to, 'infinity'::timestamptz) as ends_at
    from pieces
    where valid_from is null or valid_to is null or valid_from < valid_to
),

piece_changes as (
    select
        *,
        coalesce(
            can_sync is distinct from lag(can_sync) over time_line
            or evidence is distinct from lag(evidence) over time_line,
            true
        ) as is_change
    from lasting_pieces
    window time_line as (partition by organization, campaign_id order by starts_at)
),

numbered_pieces as (
    select
        *,
        count(*) filter (where is_change) over (
            partition by organization, campaign_id
            order by starts_at
        ) as window_number
    from piece_changes
),

windows as (
    select
        organization,
        campaign_id,
        can_sync,
        evidence,
        nullif(min(starts_at), '-infinity'::timestamptz) as valid_from,
        nullif(max(ends_at), 'infinity'::timestamptz) as valid_to
    from numbered_pieces
    group by organization, campaign_id, window_number, can_sync, evidence
)

select
    campaigns.organization,
    campaigns.campaign_id,
    campaigns.campaign_name,
    windows.can_sync,
    windows.valid_from,
    windows.valid_to,
    coalesce(windows.evidence, 'assumed') as evidence
from campaigns
left join windows
    on
        campaigns.organization = windows.organization
        and campaigns.campaign_id = windows.campaign_id
