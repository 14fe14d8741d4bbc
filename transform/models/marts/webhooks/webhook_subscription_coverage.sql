-- Which active webhook carries which event type, and which of the recommended ones none does.
with reads as (
    select
        organization,
        started_at as read_at
    from {{ ref('int_recon__complete_reads') }}
    where source = 'raise' and resource = 'webhooks' and recency = 1
),

-- what status means is not documented: 1 is probably active, and a webhook that shows none may be
active_webhooks as (
    select
        organization,
        webhook_id,
        try_cast(event_types_list as varchar[]) as event_types
    from {{ ref('stg_raise__webhooks') }}
    where not is_deleted and coalesce(status, 1) = 1
),

carried as (
    select
        organization,
        webhook_id,
        try_cast(unnest(event_types) as bigint) as event_type
    from active_webhooks
),

carriers as (
    select
        organization,
        event_type,
        list(distinct webhook_id order by webhook_id) as webhook_ids
    from carried
    group by organization, event_type
),

silent_webhooks as (
    select
        organization,
        count(*) as webhooks
    from active_webhooks
    where event_types is null
    group by organization
),

expected as (
    select
        organizations.organization,
        event_types.event_type,
        event_types.resource_family,
        event_types.action,
        event_types.resource_family || ' ' || event_types.action as hypothesis_label,
        event_types.event_type in ({{ var('recommended_event_types') | join(', ') }}) as is_recommended,
        carriers.webhook_ids,
        coalesce(len(carriers.webhook_ids), 0) as active_webhooks,
        reads.read_at as as_of,
        coalesce(silent_webhooks.webhooks, 0) as silent_webhooks
    from {{ ref('int_organizations') }} as organizations
    cross join {{ ref('event_types') }} as event_types
    left join carriers
        on
            organizations.organization = carriers.organization
            and event_types.event_type = carriers.event_type
    left join silent_webhooks on organizations.organization = silent_webhooks.organization
    left join reads on organizations.organization = reads.organization
)

select
    organization,
    event_type,
    resource_family,
    action,
    hypothesis_label,
    active_webhooks,
    webhook_ids,
    is_recommended,
    case
        when active_webhooks > 0 or not is_recommended then false
        when as_of is not null and silent_webhooks = 0 then true
    end as is_gap,
    case
        when active_webhooks > 0 then 'Carried.'
        when as_of is null then 'The webhooks were never completely read, so it is not known who carries it.'
        when silent_webhooks > 0 then 'An active webhook does not say what it carries, so it may be carried.'
        when is_recommended
            then
                'No active webhook carries ' || event_type || ' (probably ' || hypothesis_label
                || '): subscribe to it in Raise.'
        else 'Not carried, and not among the recommended ones.'
    end as cause,
    as_of
from expected
