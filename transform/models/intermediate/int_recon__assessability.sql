-- What the comparison of an entity needs to have been read. Without CRM+ the Raise side stands alone.
with needed_reads (entity, source, resource) as (
    values
    ('donor', 'raise', 'donors'),
    ('donor', 'raise', 'gifts'),
    ('donor', 'raise', 'recurring_gifts'),
    ('donor', 'raise', 'campaigns'),
    ('donor', 'crm_plus', 'contacts'),
    ('gift', 'raise', 'donors'),
    ('gift', 'raise', 'gifts'),
    ('gift', 'raise', 'recurring_gifts'),
    ('gift', 'raise', 'campaigns'),
    ('gift', 'crm_plus', 'contacts'),
    ('gift', 'crm_plus', 'gifts'),
    ('recurring_gift', 'raise', 'donors'),
    ('recurring_gift', 'raise', 'gifts'),
    ('recurring_gift', 'raise', 'recurring_gifts'),
    ('recurring_gift', 'raise', 'campaigns'),
    ('recurring_gift', 'crm_plus', 'contacts'),
    ('recurring_gift', 'crm_plus', 'recurring_gifts')
),

complete_reads as (
    select
        organization,
        source,
        resource,
        started_at as read_at
    from {{ ref('int_recon__complete_reads') }}
    where recency = 1
),

crm_plus_connections as (
    select
        organization,
        bool_or(is_connected) as is_connected
    from {{ ref('stg_crm_plus__connections') }}
    group by organization
),

foreign_credentials as (
    select
        organization,
        string_agg(
            'The credential of ' || product || ' shows another organization, ' || foreign_organization
            || ', than the one that the warehouse holds: check it, or accept it with --accept-organization.',
            ' ' order by product
        ) as reason
    from (
        select
            organization,
            'Raise' as product,
            foreign_organization
        from {{ ref('stg_raise__connections') }}
        union all
        select
            organization,
            'CRM+' as product,
            foreign_organization
        from {{ ref('stg_crm_plus__connections') }}
    ) as credentials
    where foreign_organization is not null
    group by organization
),

organizations as (
    select
        int_organizations.organization,
        -- the setting; the variable stands in for a warehouse that was loaded before there was one
        coalesce(raise_connections.stale_after_hours, {{ var('stale_after_hours') }}) as stale_after_hours
    from {{ ref('int_organizations') }} as int_organizations
    left join {{ ref('stg_raise__connections') }} as raise_connections
        on int_organizations.organization = raise_connections.organization
),

expected_reads as (
    select
        organizations.organization,
        organizations.stale_after_hours,
        needed_reads.entity,
        needed_reads.source,
        needed_reads.resource,
        complete_reads.read_at,
        empty_sides.reason as empty_reason,
        crm_plus_connections.is_connected as is_crm_plus_connected,
        case needed_reads.source when 'raise' then 'Raise ' else 'CRM+ ' end
        || replace(needed_reads.resource, '_', ' ') as read_name
    from organizations
    cross join needed_reads
    left join crm_plus_connections
        on organizations.organization = crm_plus_connections.organization
    left join complete_reads
        on
            organizations.organization = complete_reads.organization
            and needed_reads.source = complete_reads.source
            and needed_reads.resource = complete_reads.resource
    left join {{ ref('int_recon__empty_sides') }} as empty_sides
        on
            organizations.organization = empty_sides.organization
            and needed_reads.source = empty_sides.source
            and needed_reads.resource = empty_sides.resource
    where
        needed_reads.source = 'raise'
        -- not knowing whether there is a CRM+ is not the same as knowing that there is none
        or coalesce(crm_plus_connections.is_connected, true)
),

dated_reads as (
    select
        *,
        max(read_at) filter (where source = 'raise') over (partition by organization, entity) as raise_read_at
    from expected_reads
),

judged_reads as (
    select
        *,
        read_at is null as is_never_complete,
        coalesce(read_at < raise_read_at - interval '1 hour' * stale_after_hours, false) as is_stale,
        empty_reason is not null as is_empty,
        source = 'crm_plus' and resource = 'contacts' as is_of_contacts
    from dated_reads
),

entities as (
    select
        organization,
        entity,
        bool_or(is_crm_plus_connected) as is_crm_plus_connected,
        case when not bool_or(is_never_complete) then min(read_at) end as as_of,
        max(raise_read_at) as raise_read_at,
        max(stale_after_hours) as stale_after_hours,
        max(read_at) filter (where source = 'raise' and resource = 'donors') as donors_read_at,
        max(read_at) filter (where source = 'crm_plus' and resource = 'contacts') as contacts_read_at,
        max(read_at) filter (where source = 'raise' and resource = entity || 's') as raise_read_at_of_entity,
        max(read_at) filter (where source = 'crm_plus' and resource = entity || 's') as crm_plus_read_at_of_entity,
        not bool_or(is_never_complete or ((is_stale or is_empty) and not is_of_contacts)) as is_assessable_without_contacts,
        not bool_or(is_never_complete or is_stale or is_empty) as is_assessable,
        string_agg(empty_reason, ' ' order by empty_reason) as empty_reasons,
        string_agg(read_name, ', ' order by read_name) filter (where is_never_complete) as never_complete,
        string_agg(read_name || ' (' || {{ instant_text('read_at') }} || ')', ', ' order by read_name)
        filter (where is_stale) as stale
    from judged_reads
    group by organization, entity
)

select
    entities.organization,
    entities.entity,
    entities.is_crm_plus_connected,
    entities.as_of,
    entities.donors_read_at,
    entities.contacts_read_at,
    entities.raise_read_at_of_entity,
    entities.crm_plus_read_at_of_entity,
    entities.is_assessable and foreign_credentials.reason is null as is_assessable,
    entities.is_assessable_without_contacts and foreign_credentials.reason is null as is_assessable_without_contacts,
    case
        when foreign_credentials.reason is not null
            then foreign_credentials.reason
        when entities.never_complete is not null
            then 'Never completely read so far: ' || entities.never_complete || '.'
        when entities.stale is not null
            then
                'Last completely read more than ' || entities.stale_after_hours
                || ' hours before the newest Raise read (' || {{ instant_text('entities.raise_read_at') }} || '): '
                || entities.stale || '.'
        else entities.empty_reasons
    end as not_assessable_reason
from entities
left join foreign_credentials
    on entities.organization = foreign_credentials.organization
