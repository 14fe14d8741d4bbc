-- Whether a gift or schedule was to reach CRM+: its campaign was syncing when it was created.
{{ config(materialized='maintained_table') }}
with giving_records as (
    select
        organization,
        entity,
        record_id,
        donor_id,
        amount,
        created_at,
        is_created_at_known,
        changed_at,
        is_activity,
        campaign_lookup_key
    from {{ ref('int_raise__giving_records') }}
),

candidates as (
    select
        organization,
        campaign_lookup_key,
        campaign_id,
        campaign_name,
        found_by,
        coalesce(valid_from, '-infinity'::timestamptz) as starts_at,
        coalesce(valid_to, 'infinity'::timestamptz) as ends_at
    from {{ ref('int_raise__campaign_candidates') }}
),

windows as (
    select
        organization,
        campaign_id,
        -- what is assumed is not said while the log may tell otherwise
        case when unread_events > 0 then null else can_sync end as can_sync,
        unread_events,
        evidence,
        coalesce(valid_from, '-infinity'::timestamptz) as starts_at,
        coalesce(valid_to, 'infinity'::timestamptz) as ends_at
    from {{ ref('campaign_sync_windows') }}
),

-- the instants at which something about the campaigns of a key may change
moments as (
    {% for bound in ['starts_at', 'ends_at'] -%}
        select
            organization,
            campaign_lookup_key,
            {{ bound }} as moment
        from candidates
        union
        select
            candidates.organization,
            candidates.campaign_lookup_key,
            windows.{{ bound }} as moment
        from candidates
        inner join windows
            on
                candidates.organization = windows.organization
                and candidates.campaign_id = windows.campaign_id
        {% if not loop.last -%} union {%- endif %}
    {% endfor %}
),

periods as (
    select
        organization,
        campaign_lookup_key,
        moment as starts_at,
        lead(moment) over (
            partition by organization, campaign_lookup_key
            order by moment
        ) as ends_at
    from moments
),

campaign_states as (
    select
        periods.organization,
        periods.campaign_lookup_key,
        periods.starts_at,
        periods.ends_at,
        candidates.campaign_id,
        candidates.campaign_name,
        candidates.found_by,
        windows.can_sync,
        coalesce(windows.unread_events, 0) as unread_events,
        coalesce(windows.evidence != 'assumed', false) as is_observed
    from periods
    inner join candidates
        on
            periods.organization = candidates.organization
            and periods.campaign_lookup_key = candidates.campaign_lookup_key
            and periods.starts_at >= candidates.starts_at
            and periods.starts_at < candidates.ends_at
    left join windows
        on
            candidates.organization = windows.organization
            and candidates.campaign_id = windows.campaign_id
            and periods.starts_at >= windows.starts_at
            and periods.starts_at < windows.ends_at
),

-- of several campaigns with one name, one that syncs is enough; a state that nobody knows excludes nothing
campaign_verdicts as (
    select
        organization,
        campaign_lookup_key,
        starts_at,
        ends_at,
        case
            when bool_or(coalesce(can_sync, false)) then true
            when not bool_or(can_sync is null) then false
        end as was_syncing,
        bool_or(can_sync and is_observed) as is_syncing_observed,
        bool_and(is_observed) as is_all_observed,
        count(campaign_id) as campaign_count,
        -- the one that decides: one that syncs, where there is one, else one of which nobody knows
        arg_min(
            {
                'campaign_id': campaign_id,
                'campaign_name': campaign_name,
                'found_by': found_by
            },
            row(not coalesce(can_sync, false), unread_events = 0, campaign_id)
        ) as campaign,
        max(unread_events) as unread_events
    from campaign_states
    group by organization, campaign_lookup_key, starts_at, ends_at
),

-- a campaign or segment that could not be read is not an empty one
records_with_unreadable_links as (
    select distinct
        organization,
        case resource when 'gifts' then 'gift' else 'recurring_gift' end as entity,
        {{ integer_key('record_id') }} as record_id
    from {{ ref('stg_raise__quarantined_records') }}
    where
        resolved_at is null
        and resource in ('gifts', 'recurring_gifts')
        and {{ quarantined_field('field') }} in ('campaignid', 'segmentid')
)

select
    giving_records.organization,
    giving_records.entity,
    giving_records.record_id,
    giving_records.donor_id,
    giving_records.amount,
    giving_records.created_at,
    giving_records.is_created_at_known,
    giving_records.changed_at,
    giving_records.is_activity,
    campaign_verdicts.campaign.campaign_id,
    campaign_verdicts.campaign.campaign_name,
    campaign_verdicts.campaign.found_by as campaign_found_by,
    coalesce(campaign_verdicts.campaign_count, 0) as campaign_count,
    -- a campaign that cannot be found is no reason not to expect the record; one whose state nobody knows leaves it open
    case
        when unreadable_links.record_id is not null then null
        when campaign_verdicts.campaign_lookup_key is null then true
        else campaign_verdicts.was_syncing
    end as is_expected,
    case
        when unreadable_links.record_id is not null then 'unknown'
        when campaign_verdicts.campaign_lookup_key is null then 'campaign_not_found'
        when campaign_verdicts.was_syncing is null and campaign_verdicts.unread_events > 0 then 'unread'
        when campaign_verdicts.was_syncing is null then 'unknown'
        when not giving_records.is_created_at_known then 'assumed'
        when campaign_verdicts.was_syncing and campaign_verdicts.is_syncing_observed then 'observed'
        when not campaign_verdicts.was_syncing and campaign_verdicts.is_all_observed then 'observed'
        else 'assumed'
    end as campaign_evidence,
    coalesce(campaign_verdicts.unread_events, 0) as unread_events
from giving_records
left join campaign_verdicts
    on
        giving_records.organization = campaign_verdicts.organization
        and giving_records.campaign_lookup_key = campaign_verdicts.campaign_lookup_key
        and giving_records.created_at >= campaign_verdicts.starts_at
        and giving_records.created_at < campaign_verdicts.ends_at
left join records_with_unreadable_links as unreadable_links
    on
        giving_records.organization = unreadable_links.organization
        and giving_records.entity = unreadable_links.entity
        and giving_records.record_id = unreadable_links.record_id
        -- where the id of the campaign was read, it decides
        and coalesce(campaign_verdicts.campaign.found_by != 'campaign_id', true)
