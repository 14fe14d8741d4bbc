-- Raise donors that CRM+ contacts name as their origin. A reference on a merged-away contact speaks for the survivor.
{{ config(materialized='maintained_table') }}
with contact_reference_lists as (
    select
        organization,
        contact_id,
        greatest(created_at, modified_at) as changed_at,
        unnest(from_json(contact_references, '[{"source": "VARCHAR", "id": "VARCHAR"}]')) as reference
    from {{ ref('stg_crm_plus__contacts') }}
    where
        not is_deleted
        or merged_into_contact_id is not null
),

raise_references as (
    select distinct
        organization,
        contact_id,
        changed_at,
        {{ integer_key('reference.id') }} as donor_id
    from contact_reference_lists
    where {{ is_raise_reference_source('reference.source') }}
)

select
    raise_references.organization,
    raise_references.contact_id,
    raise_references.donor_id,
    raise_references.changed_at,
    -- where the chain of merges ends nowhere, the contact that carries the reference is all there is
    coalesce(contacts.survivor_contact_id, contacts.contact_id) as resolved_contact_id,
    contacts.is_live as is_carrier_live,
    contacts.survivor_contact_id is not null and not contacts.is_survivor_archived as is_resolved_live,
    contacts.is_end_unknown
from raise_references
inner join {{ ref('int_crm_plus__contacts_resolved') }} as contacts
    on
        raise_references.organization = contacts.organization
        and raise_references.contact_id = contacts.contact_id
where
    raise_references.donor_id is not null
    and (not contacts.is_deleted or contacts.survivor_contact_id is not null)
