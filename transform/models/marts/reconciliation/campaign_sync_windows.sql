-- The time line of each campaign's sync switch, without gaps and overlaps. A boundary belongs to the later window:
-- `valid_from` is inclusive, `valid_to` exclusive, an open end is null.
with versions as (
    select
        snapshots.organization,
        snapshots.campaign_id,
        snapshots.can_sync,
        -- a clock that was ahead makes a version begin after the one that followed it, or after the present
        least(snapshots.dbt_valid_from, snapshots.dbt_valid_to, connections.recorded_at) as seen_from
    from {{ ref('campaigns_snapshot') }} as snapshots
    left join {{ ref('stg_raise__connections') }} as connections on snapshots.organization = connections.organization
    -- two runs may share one clock; then the later version is the one that stayed
    qualify
        row_number() over (
            partition by snapshots.organization, snapshots.campaign_id, seen_from
            order by coalesce(snapshots.dbt_valid_to, 'infinity'::timestamptz) desc
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
        finished_at
    from {{ ref('int_recon__complete_reads') }}
    where source = 'raise' and resource = 'campaigns'
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

-- reads that showed a state: the first one, and every complete one up to the next state
state_reads as (
    select
        organization,
        campaign_id,
        state_number,
        can_sync,
        seen_from as seen_at
    from followed_states
    union all
    select
        followed_states.organization,
        followed_states.campaign_id,
        followed_states.state_number,
        followed_states.can_sync,
        complete_reads.started_at as seen_at
    from followed_states
    inner join complete_reads
        on
            followed_states.organization = complete_reads.organization
            and followed_states.seen_from <= complete_reads.started_at
            and coalesce(followed_states.next_seen_from, 'infinity'::timestamptz) > complete_reads.finished_at
    left join campaigns
        on
            followed_states.organization = campaigns.organization
            and followed_states.campaign_id = campaigns.campaign_id
    where coalesce(campaigns.unseen_since, 'infinity'::timestamptz) > complete_reads.started_at
),

event_states as (
    select
        organization,
        campaign_id,
        modified_at,
        can_sync,
        lead(modified_at) over (partition by organization, campaign_id order by modified_at) as next_modified_at
    from {{ ref('int_raise__campaign_event_states') }}
),

-- between two events a state is known from the first read that saw it to the last complete read that saw it still
read_states as (
    select
        state_reads.organization,
        state_reads.campaign_id,
        state_reads.state_number,
        state_reads.can_sync,
        min(state_reads.seen_at) as seen_from,
        max(state_reads.seen_at) as seen_to
    from state_reads
    left join event_states
        on
            state_reads.organization = event_states.organization
            and state_reads.campaign_id = event_states.campaign_id
            and state_reads.seen_at > event_states.modified_at
            and state_reads.seen_at <= coalesce(event_states.next_modified_at, 'infinity'::timestamptz)
    -- a version that does not say whether the campaign syncs ends the one before it and is no state of its own
    where state_reads.can_sync is not null
    group by
        state_reads.organization,
        state_reads.campaign_id,
        state_reads.state_number,
        state_reads.can_sync,
        event_states.modified_at
),

observations as (
    select
        *,
        false as is_event
    from read_states
    union all by name
    select
        organization,
        campaign_id,
        can_sync,
        modified_at as seen_from,
        modified_at as seen_to,
        true as is_event
    from event_states
),

observation_changes as (
    select
        *,
        coalesce(can_sync is distinct from lag(can_sync) over time_line, true) as is_change
    from observations
    window time_line as (partition by organization, campaign_id order by seen_from, is_event)
),

numbered_observations as (
    select
        *,
        count(*) filter (where is_change) over (
            partition by organization, campaign_id
            order by seen_from, is_event
        ) as run_number
    from observation_changes
),

-- an event that agrees with the reads of one state before and after it tells nothing new
placed_observations as (
    select
        *,
        last_value(state_number ignore nulls) over (
            same_state rows between unbounded preceding and current row
        ) as state_before,
        first_value(state_number ignore nulls) over (
            same_state rows between current row and unbounded following
        ) as state_after
    from numbered_observations
    window same_state as (partition by organization, campaign_id, run_number order by seen_from, is_event)
),

known_states as (
    select
        organization,
        campaign_id,
        can_sync,
        bool_and(is_event) as is_event,
        min(seen_from) as seen_from,
        max(seen_to) as seen_to
    from placed_observations
    group by
        organization,
        campaign_id,
        can_sync,
        run_number,
        case when state_before = state_after then state_before end,
        case when state_before = state_after then null else seen_from end
),

neighboured_states as (
    select
        *,
        lag(seen_to) over time_line as previous_seen_to,
        lead(seen_from) over time_line as next_seen_from,
        lag(is_event) over time_line and can_sync = lag(can_sync) over time_line as is_told_before,
        is_event and can_sync = lead(can_sync) over time_line as is_seen_again,
        lead(is_event) over time_line as is_event_next
    from known_states
    window time_line as (partition by organization, campaign_id order by seen_from, is_event)
),

-- A state holds to the next modification that is told, and from the one that told it to the read that sees it still. Where
-- nothing tells, two known states each reach to the middle of the gap.
bounded_states as (
    select
        *,
        coalesce(is_event_next or is_seen_again, false) as is_known_on,
        case
            when previous_seen_to is not null and (is_event or is_told_before) then seen_from
            else
                previous_seen_to
                + to_microseconds((epoch_us(seen_from) - epoch_us(previous_seen_to)) // 2)
        end as reaches_back_to,
        case
            when is_event_next or is_seen_again then next_seen_from
            else seen_to + to_microseconds((epoch_us(next_seen_from) - epoch_us(seen_to)) // 2)
        end as reaches_on_to
    from neighboured_states
),

pieces as (
    select
        organization,
        campaign_id,
        can_sync,
        reaches_back_to as valid_from,
        seen_from as valid_to,
        'assumed' as evidence,
        previous_seen_to as known_to,
        seen_from as known_from
    from bounded_states
    union all
    select
        organization,
        campaign_id,
        can_sync,
        seen_from as valid_from,
        seen_to as valid_to,
        'snapshot' as evidence,
        null as known_to,
        null as known_from
    from bounded_states
    union all
    select
        organization,
        campaign_id,
        can_sync,
        seen_to as valid_from,
        reaches_on_to as valid_to,
        case when is_known_on then 'webhook_log' else 'assumed' end as evidence,
        seen_to as known_to,
        next_seen_from as known_from
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

unread_events as (
    select
        organization,
        campaign_id,
        logged_at
    from {{ ref('int_raise__unread_campaign_events') }}
),

-- What the log may tell between the evidence before and the evidence after, once it is read: what is assumed there may be
-- wrong.
doubted_pieces as (
    select
        lasting_pieces.organization,
        lasting_pieces.campaign_id,
        lasting_pieces.starts_at,
        count(*) as unread_events
    from lasting_pieces
    inner join unread_events
        on
            lasting_pieces.organization = unread_events.organization
            and lasting_pieces.campaign_id = unread_events.campaign_id
    where
        lasting_pieces.evidence = 'assumed'
        and unread_events.logged_at >= coalesce(lasting_pieces.known_to, '-infinity'::timestamptz)
        and unread_events.logged_at <= coalesce(lasting_pieces.known_from, 'infinity'::timestamptz)
    group by lasting_pieces.organization, lasting_pieces.campaign_id, lasting_pieces.starts_at
),

weighed_pieces as (
    select
        lasting_pieces.*,
        coalesce(doubted_pieces.unread_events, 0) as unread_events
    from lasting_pieces
    left join doubted_pieces
        on
            lasting_pieces.organization = doubted_pieces.organization
            and lasting_pieces.campaign_id = doubted_pieces.campaign_id
            and lasting_pieces.starts_at = doubted_pieces.starts_at
),

piece_changes as (
    select
        *,
        coalesce(
            can_sync is distinct from lag(can_sync) over time_line
            or evidence is distinct from lag(evidence) over time_line
            or unread_events is distinct from lag(unread_events) over time_line,
            true
        ) as is_change
    from weighed_pieces
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
        unread_events,
        nullif(min(starts_at), '-infinity'::timestamptz) as valid_from,
        nullif(max(ends_at), 'infinity'::timestamptz) as valid_to
    from numbered_pieces
    group by organization, campaign_id, window_number, can_sync, evidence, unread_events
)

select
    campaigns.organization,
    campaigns.campaign_id,
    campaigns.campaign_name,
    windows.can_sync,
    windows.valid_from,
    windows.valid_to,
    coalesce(windows.evidence, 'assumed') as evidence,
    coalesce(windows.unread_events, 0) as unread_events
from campaigns
left join windows
    on
        campaigns.organization = windows.organization
        and campaigns.campaign_id = windows.campaign_id
