-- CRM+ gifts that neither a decision nor a transaction id ties to Raise, and reversals that nothing does: what
-- contacts, amounts and dates are compared of. Those of which one of the three is not known are here too: they leave
-- doubts.
with quarantine as (
    select distinct
        organization,
        record_key
    from {{ ref('int_recon__open_quarantine') }}
    where source = 'crm_plus' and resource = 'contacts'
)

select
    facts.organization,
    facts.gift_id,
    facts.contact_id as named_contact_id,
    coalesce(
        facts.contact_ids, case when facts.resolved_contact_id is not null then [facts.resolved_contact_id] else [] end
    ) as contact_ids,
    -- one that is named and nowhere is nobody's; one that could not be read is somebody's
    facts.is_contact_quarantined
    or (
        facts.resolved_contact_id is null
        and (
            facts.contact_id is null
            or quarantined_contacts.record_key is not null
            or unidentified_contacts.organization is not null
        )
    ) as is_contact_unknown,
    facts.amount,
    facts.currency,
    facts.base_amount,
    facts.base_currency,
    facts.gift_date,
    -- a pair of another system is that system's
    not facts.is_from_raise and facts.transaction_pair is not null as is_foreign,
    -- as the older integration writes the parts of a gift to several projects
    facts.is_from_raise and facts.transaction_pair is null as may_be_part,
    links.is_reversing,
    links.is_reversing and links.reversal_evidence is null as is_unnamed_reversal
from {{ ref('int_recon__gift_links') }} as links
inner join {{ ref('int_crm_plus__gift_facts') }} as facts
    on
        links.organization = facts.organization
        and links.crm_gift_id = facts.gift_id
left join quarantine as quarantined_contacts
    on
        facts.organization = quarantined_contacts.organization
        and facts.contact_id = quarantined_contacts.record_key
left join quarantine as unidentified_contacts
    on
        unidentified_contacts.record_key is null
        and facts.organization = unidentified_contacts.organization
where links.raise_gift_id is null and (links.is_reversing or not links.is_claim)
