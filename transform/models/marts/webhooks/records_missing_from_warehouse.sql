-- Records that the delivery log or a foreign key names and that the raw tables do not have: what the pipeline has missed, if
-- anything. A record that was once read and has vanished is not missing, and neither is one that is quarantined.
with entities (entity, resource, resource_family) as (
    values
    ('donor', 'donors', 'Donor'),
    ('gift', 'gifts', 'Gift'),
    ('recurring_gift', 'recurring_gifts', 'RecurringGift'),
    ('campaign', 'campaigns', 'Campaign'),
    ('segment', 'segments', null),
    ('project', 'projects', null),
    ('webhook', 'webhooks', null)
),

-- a family that the log contradicts is no evidence of anything
believed_types as (
    select
        organization,
        event_type
    from {{ ref('event_type_labels') }}
    where status not in ('contradicted', 'undocumented')
),

named_records as (
    select
        events.organization,
        entities.entity,
        try_cast(events.record_id as bigint) as record_id,
        'delivery log' as seen_in,
        events.first_attempt_at as seen_at,
        events.action = 'deleted' as is_reported_deleted
    from {{ ref('webhook_events') }} as events
    inner join entities on events.resource_family = entities.resource_family
    inner join believed_types
        on
            events.organization = believed_types.organization
            and events.event_type = believed_types.event_type
    union all
    select
        organization,
        'webhook' as entity,
        webhook_id as record_id,
        'delivery log' as seen_in,
        coalesce(created_at, first_extracted_at) as seen_at,
        false as is_reported_deleted
    from {{ ref('stg_raise__webhook_logs') }}
    {% for table in ['gifts', 'recurring_gifts'] -%}
        union all
        select
            organization,
            'project' as entity,
            unnest(from_json(projects, '[{"projectId": "BIGINT"}]')).projectid as record_id,
            '{{ table }}.projects' as seen_in,
            first_extracted_at as seen_at,
            false as is_reported_deleted
        from {{ ref('stg_raise__' ~ table) }}
        where not is_deleted
    {% endfor -%}
    {% for table, column, entity in [
        ('gifts', 'donor_id', 'donor'),
        ('gifts', 'recurring_gift_id', 'recurring_gift'),
        ('gifts', 'campaign_id', 'campaign'),
        ('gifts', 'segment_id', 'segment'),
        ('recurring_gifts', 'donor_id', 'donor'),
        ('recurring_gifts', 'campaign_id', 'campaign'),
        ('recurring_gifts', 'segment_id', 'segment'),
        ('segments', 'campaign_id', 'campaign'),
    ] -%}
        union all
        select
            organization,
            '{{ entity }}' as entity,
            {{ column }} as record_id,
            '{{ table }}.{{ column }}' as seen_in,
            first_extracted_at as seen_at,
            false as is_reported_deleted
        from {{ ref('stg_raise__' ~ table) }}
        where not is_deleted
    {% endfor %}
),

known_records as (
    {% for entity in ['donor', 'gift', 'recurring_gift', 'campaign', 'segment', 'project', 'webhook'] -%}
        select
            organization,
            '{{ entity }}' as entity,
            {{ entity }}_id as record_id
        from {{ ref('stg_raise__' ~ entity ~ 's') }}
        union all
    {% endfor -%}
    select
        quarantined.organization,
        entities.entity,
        try_cast(quarantined.record_id as bigint) as record_id
    from {{ ref('stg_raise__quarantined_records') }} as quarantined
    inner join entities on quarantined.resource = entities.resource
),

-- hardly any are left once the known ones are out: only these are gathered
unknown_records as (
    select
        named_records.organization,
        named_records.entity,
        named_records.record_id,
        string_agg(distinct named_records.seen_in, ', ' order by named_records.seen_in) as seen_in,
        min(named_records.seen_at) as first_seen_at,
        max(named_records.seen_at) as last_seen_at,
        bool_and(named_records.seen_in = 'delivery log') as is_only_logged
    from named_records
    anti join known_records
        on
            named_records.organization = known_records.organization
            and named_records.entity = known_records.entity
            and named_records.record_id = known_records.record_id
    where named_records.record_id > 0
    group by named_records.organization, named_records.entity, named_records.record_id
    having not bool_or(coalesce(named_records.is_reported_deleted, false))
),

complete_reads as (
    select
        organization,
        resource,
        max(started_at) as read_at
    from {{ ref('stg_raise__load_audit') }}
    where is_complete and mode != 'incremental'
    group by organization, resource
),

deletions_reported as (
    select
        organization,
        resource_family,
        active_webhooks > 0 as is_reported
    from {{ ref('webhook_subscription_coverage') }}
    where action = 'deleted'
),

judged as (
    select
        unknown_records.*,
        complete_reads.read_at as as_of,
        case
            when complete_reads.read_at is null then 'not_assessable'
            when complete_reads.read_at <= unknown_records.first_seen_at then 'pending'
            when not unknown_records.is_only_logged or coalesce(deletions_reported.is_reported, false) then 'missing'
            else 'probably_deleted'
        end as status,
        entities.resource
    from unknown_records
    inner join entities on unknown_records.entity = entities.entity
    left join complete_reads
        on
            unknown_records.organization = complete_reads.organization
            and entities.resource = complete_reads.resource
    left join deletions_reported
        on
            unknown_records.organization = deletions_reported.organization
            and entities.resource_family = deletions_reported.resource_family
)

select
    organization,
    entity,
    record_id,
    seen_in,
    first_seen_at,
    last_seen_at,
    case when as_of is not null then greatest((epoch_us(as_of) - epoch_us(first_seen_at)) // 3600000000, 0) end as age_hours,
    status,
    case status when 'missing' then 'error' when 'probably_deleted' then 'warn' end as severity,
    case status
        when 'not_assessable' then 'Raise ' || replace(resource, '_', ' ') || ' were never completely read.'
        when 'pending' then 'First seen after the last complete read of ' || replace(resource, '_', ' ') || ' began.'
        when 'missing'
            then
                'Still absent in the complete read of ' || {{ instant_text('as_of') }}
                || ', and its deletion was not reported: the pipeline has missed it.'
        else
            'Absent in the complete read of ' || {{ instant_text('as_of') }}
            || '. No active webhook reports deletions of it, so it may have been deleted before it was read.'
    end as cause,
    as_of
from judged
