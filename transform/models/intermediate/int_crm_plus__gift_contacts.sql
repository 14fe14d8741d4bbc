-- The contacts of CRM+ gifts that name passthrough givers beside the legal donor, each after merges. Few gifts do: the
-- nested passthroughs of the others are not parsed.
{{ config(materialized='maintained_table') }}
with passthrough_gifts as (
    select
        organization,
        gift_id,
        contact_id,
        contact_passthrough_id,
        case when passthroughs_text not in ('', '[]', 'null') then gift_passthroughs end as gift_passthroughs
    from (
        select
            *,
            coalesce(cast(gift_passthroughs as varchar), '') as passthroughs_text
        from {{ ref('stg_crm_plus__gifts') }}
        where not is_deleted
    )
    where contact_passthrough_id is not null or passthroughs_text not in ('', '[]', 'null')
),

parsed_gifts as (
    select
        *,
        from_json(gift_passthroughs, '[{"contactId": "VARCHAR"}]') as passthroughs
    from passthrough_gifts
),

named_contacts as (
    select
        organization,
        gift_id,
        contact_id
    from parsed_gifts
    union all
    select
        organization,
        gift_id,
        contact_passthrough_id as contact_id
    from parsed_gifts
    where contact_passthrough_id is not null
    union all
    select
        organization,
        gift_id,
        unnest(list_transform(passthroughs, lambda x: {{ integer_key('x.contactid') }})) as contact_id
    from parsed_gifts
    union all
    -- not a list
    select
        organization,
        gift_id,
        cast(null as bigint) as contact_id
    from parsed_gifts
    where gift_passthroughs is not null and passthroughs is null
),

quarantined_contacts as (
    select distinct
        organization,
        record_key as contact_id
    from {{ ref('int_recon__open_quarantine') }}
    where source = 'crm_plus' and resource = 'contacts'
)

select
    named_contacts.organization,
    named_contacts.gift_id,
    list_sort(
        list(distinct contacts.survivor_contact_id) filter (where contacts.survivor_contact_id is not null)
    ) as contact_ids,
    -- one that is named and nowhere is nobody's; one that could not be read is somebody's
    bool_or(
        named_contacts.contact_id is null
        or coalesce(contacts.is_end_unknown, quarantined_contacts.organization is not null)
        or (contacts.contact_id is null and unidentified_contacts.organization is not null)
    ) as is_contact_unknown
from named_contacts
left join {{ ref('int_crm_plus__contacts_resolved') }} as contacts
    on
        named_contacts.organization = contacts.organization
        and named_contacts.contact_id = contacts.contact_id
left join quarantined_contacts
    on
        named_contacts.organization = quarantined_contacts.organization
        and named_contacts.contact_id = quarantined_contacts.contact_id
left join quarantined_contacts as unidentified_contacts
    on
        named_contacts.organization = unidentified_contacts.organization
        and unidentified_contacts.contact_id is null
group by named_contacts.organization, named_contacts.gift_id
