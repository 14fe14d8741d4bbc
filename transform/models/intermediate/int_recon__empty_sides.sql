-- Collections that read as none where the other product, or an earlier read, says that there are records. That is how a
-- permission that was taken away looks, and the credential of another organization.
with contacts as (
    select
        organization,
        bool_or(not is_deleted) as is_there
    from {{ ref('stg_crm_plus__contacts') }}
    group by organization
),

crm_gifts as (
    select
        organization,
        bool_or(not is_deleted) as is_there,
        bool_or(not is_deleted and is_from_raise) as claims_raise
    from {{ ref('stg_crm_plus__gifts') }}
    group by organization
),

crm_gift_reads as (
    select
        organization,
        started_at
    from {{ ref('int_recon__complete_reads') }}
    where source = 'crm_plus' and resource = 'gifts' and recency = 1
),

raise_donors as (
    select
        organization,
        bool_or(not is_deleted) as is_there,
        bool_or(
            crm_key_contact_id is not null
            and not is_deleted
            and not is_gdpr_deleted
            and (not is_test_mode or {{ var('include_test_mode') }})
        ) as has_keys
    from {{ ref('stg_raise__donors') }}
    group by organization
),

raise_gifts as (
    select
        gifts.organization,
        bool_or(not gifts.is_deleted) as is_there,
        bool_or(
            gifts.status_group = 'settled'
            and not gifts.is_deleted
            and (not gifts.is_test_mode or {{ var('include_test_mode') }})
            and coalesce(gifts.created_at, gifts.first_extracted_at)
            <= crm_gift_reads.started_at - interval '1 hour' * {{ var('missing_after_hours') }}
        ) as has_old_settled
    from {{ ref('stg_raise__gifts') }} as gifts
    left join crm_gift_reads on gifts.organization = crm_gift_reads.organization
    group by gifts.organization
),

raise_schedules as (
    select distinct organization
    from {{ ref('stg_raise__recurring_gifts') }}
    where not is_deleted
),

claimed_donors as (
    select distinct organization
    from {{ ref('int_crm_plus__raise_references') }}
),

facts as (
    select
        organizations.organization,
        coalesce(contacts.is_there, false) as has_contacts,
        contacts.organization is not null as had_contacts,
        coalesce(crm_gifts.is_there, false) as has_crm_gifts,
        crm_gifts.organization is not null as had_crm_gifts,
        coalesce(raise_donors.has_keys, false) as has_keys,
        coalesce(raise_gifts.has_old_settled, false) as has_old_settled,
        coalesce(raise_donors.is_there, false)
        or coalesce(raise_gifts.is_there, false)
        or raise_schedules.organization is not null as has_raise,
        claimed_donors.organization is not null or coalesce(crm_gifts.claims_raise, false) as claims_raise
    from {{ ref('int_organizations') }} as organizations
    left join contacts on organizations.organization = contacts.organization
    left join crm_gifts on organizations.organization = crm_gifts.organization
    left join raise_donors on organizations.organization = raise_donors.organization
    left join raise_gifts on organizations.organization = raise_gifts.organization
    left join raise_schedules on organizations.organization = raise_schedules.organization
    left join claimed_donors on organizations.organization = claimed_donors.organization
)

select
    organization,
    'crm_plus' as source,
    'contacts' as resource,
    'CRM+ shows no contact, although '
    || case when had_contacts then 'the warehouse held some' else 'Raise donors have CRM keys' end
    || ': check whether the API key is that of this organization, and may see contacts.' as reason
from facts
where not has_contacts and (had_contacts or has_keys)
union all
select
    organization,
    'crm_plus' as source,
    'gifts' as resource,
    'CRM+ shows no gift, although '
    || case when had_crm_gifts then 'the warehouse held some' else 'Raise settled gifts long ago' end
    || ': check whether the API key is that of this organization, and may see gifts.' as reason
from facts
where not has_crm_gifts and (had_crm_gifts or has_old_settled)
union all
select
    organization,
    'raise' as source,
    'donors' as resource,
    'Raise shows no donor, gift or schedule, although CRM+ names some as its origin: check whether the token is that of'
    || ' this organization.' as reason
from facts
where not has_raise and claims_raise
