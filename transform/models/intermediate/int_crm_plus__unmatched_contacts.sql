-- Live contacts that claim to come from a Raise donor and match none: the CRM+ side of the comparison.
with known_donors as (
    select
        organization,
        donor_id
    from {{ ref('stg_raise__donors') }}
),

raise_references as (
    select
        organization,
        contact_id,
        donor_id,
        resolved_contact_id,
        is_carrier_live
    from {{ ref('int_crm_plus__raise_references') }}
),

-- a contact is accounted for by a key as well as by a reference, its own or one of a contact merged into it
matched_contacts as (
    select
        organization,
        key_survivor_id as contact_id
    from {{ ref('int_raise__donor_links') }}
    where key_survivor_id is not null
    union
    select
        raise_references.organization,
        raise_references.resolved_contact_id as contact_id
    from raise_references
    semi join known_donors
        on
            raise_references.organization = known_donors.organization
            and raise_references.donor_id = known_donors.donor_id
),

unmatched_claims as (
    select
        raise_references.organization,
        raise_references.contact_id,
        raise_references.donor_id
    from raise_references
    anti join matched_contacts
        on
            raise_references.organization = matched_contacts.organization
            and raise_references.contact_id = matched_contacts.contact_id
    where raise_references.is_carrier_live
),

quarantine as (
    select
        organization,
        source,
        resource,
        record_key,
        above_key,
        below_key
    from {{ ref('int_recon__open_quarantine') }}
),

-- the donor, or one that may be it, is there and could not be read
claimants_of_hidden_donors as (
    select distinct
        unmatched_claims.organization,
        unmatched_claims.contact_id
    from unmatched_claims
    inner join quarantine as quarantined_donors
        on
            unmatched_claims.organization = quarantined_donors.organization
            and quarantined_donors.source = 'raise'
            and quarantined_donors.resource = 'donors'
            and unmatched_claims.donor_id = coalesce(quarantined_donors.record_key, unmatched_claims.donor_id)
            and {{ may_stand_in_gap('unmatched_claims.donor_id', 'quarantined_donors') }}
),

claimants as (
    select
        organization,
        contact_id,
        string_agg(donor_id, ', ' order by donor_id) as claimed_donor_ids
    from unmatched_claims
    group by organization, contact_id
)

select
    claimants.organization,
    claimants.contact_id,
    claimants.claimed_donor_ids,
    claimants_of_hidden_donors.contact_id is not null
    or quarantined_contacts.record_key is not null as is_quarantined,
    coalesce(
        greatest(contacts.created_at, contacts.modified_at),
        contacts.first_extracted_at
    ) as claimed_since
from claimants
inner join {{ ref('stg_crm_plus__contacts') }} as contacts
    on
        claimants.organization = contacts.organization
        and claimants.contact_id = contacts.contact_id
left join claimants_of_hidden_donors
    on
        claimants.organization = claimants_of_hidden_donors.organization
        and claimants.contact_id = claimants_of_hidden_donors.contact_id
left join quarantine as quarantined_contacts
    on
        claimants.organization = quarantined_contacts.organization
        and quarantined_contacts.source = 'crm_plus'
        and quarantined_contacts.resource = 'contacts'
        and claimants.contact_id = quarantined_contacts.record_key
