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

logged_records as (
    select
        events.organization,
        entities.entity,
        try_cast(events.record_id as bigint) as record_id,
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
        coalesce(created_at, first_extracted_at) as seen_at,
        false as is_reported_deleted
    from {{ ref('stg_raise__webhook_logs') }}
),

known_records as (
    {% for entity in ['donor', 'gift', 'recurring_gift', 'campaign', 'webhook'] -%}
        select
            organization,
            '{{ entity }}' as entity,
            {{ entity }}_id as record_id
        from {{ ref('stg_raise__' ~ entity ~ 's') }}
        {% if not loop.last -%} union all {%- endif %}
    {% endfor %}
),

-- hardly any are left once the known ones are out: each kind of reference is held against its own table, and only these
-- are gathered
absent_records as (
    select
        logged_records.organization,
        logged_records.entity,
        logged_records.record_id,
        'delivery log' as seen_in,
        logged_records.seen_at,
        logged_records.is_reported_deleted
    from logged_records
    anti join known_records
        on
            logged_records.organization = known_records.organization
            and logged_records.entity = known_records.entity
            and logged_records.record_id = known_records.record_id
    {% for table in ['gifts', 'recurring_gifts'] -%}
        union all
        select
            allocations.organization,
            'project' as entity,
            allocations.record_id,
            '{{ table }}.projects' as seen_in,
            allocations.seen_at,
            false as is_reported_deleted
        from (
            select
                organization,
                unnest(from_json(projects, '[{"projectId": "BIGINT"}]')).projectid as record_id,
                first_extracted_at as seen_at
            from {{ ref('stg_raise__' ~ table) }}
            where not is_deleted
        ) as allocations
        anti join {{ ref('stg_raise__projects') }} as known
            on
                allocations.organization = known.organization
                and allocations.record_id = known.project_id
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
            naming.organization,
            '{{ entity }}' as entity,
            naming.{{ column }} as record_id,
            '{{ table }}.{{ column }}' as seen_in,
            naming.first_extracted_at as seen_at,
            false as is_reported_deleted
        from {{ ref('stg_raise__' ~ table) }} as naming
        anti join {{ ref('stg_raise__' ~ entity ~ 's') }} as known
            on
                naming.organization = known.organization
                and naming.{{ column }} = known.{{ entity }}_id
        where not naming.is_deleted
    {% endfor %}
),

quarantined_records as (
    select
        quarantined.organization,
        entities.entity,
        try_cast(quarantined.record_id as bigint) as record_id
    from {{ ref('stg_raise__quarantined_records') }} as quarantined
    inner join entities on quarantined.resource = entities.resource
),

unknown_records as (
    select
        absent_records.organization,
        absent_records.entity,
        absent_records.record_id,
        string_agg(distinct absent_records.seen_in, ', ' order by absent_records.seen_in) as seen_in,
        min(absent_records.seen_at) as first_seen_at,
        max(absent_records.seen_at) as last_seen_at,
        bool_and(absent_records.seen_in = 'delivery log') as is_only_logged
    from absent_records
    anti join quarantined_records
        on
            absent_records.organization = quarantined_records.organization
            and absent_records.entity = quarantined_records.entity
            and absent_records.record_id = quarantined_records.record_id
    where absent_records.record_id > 0
    group by absent_records.organization, absent_records.entity, absent_records.record_id
    having not bool_or(coalesce(absent_records.is_reported_deleted, false))
),

complete_reads as (
    select
        organization,
        resource,
        arg_min(started_at, recency) as read_at
    from {{ ref('int_recon__complete_reads') }}
    where source = 'raise' and mode != 'incremental'
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
