-- Whether the transaction id of CRM+ gifts is the key that it is taken for: it finds the Raise gift of at least half of the
-- CRM+ gifts that come from Raise. Of fewer than twenty nothing is concluded.
with crm_gifts as (
    select
        organization,
        gift_id
    from {{ ref('int_crm_plus__gift_facts') }}
    where is_from_raise
),

counts as (
    select
        crm_gifts.organization,
        count(*) as crm_gift_count,
        count(pairs.crm_gift_id) as found_count
    from crm_gifts
    left join {{ ref('int_recon__gift_pairs') }} as pairs
        on
            crm_gifts.organization = pairs.organization
            and crm_gifts.gift_id = pairs.crm_gift_id
    group by crm_gifts.organization
)

select
    organizations.organization,
    coalesce(counts.crm_gift_count, 0) as crm_gift_count,
    coalesce(counts.found_count, 0) as found_count,
    coalesce(counts.crm_gift_count < 20 or counts.found_count * 2 >= counts.crm_gift_count, true) as is_key_trusted,
    case
        when counts.crm_gift_count >= 20 and counts.found_count * 2 < counts.crm_gift_count
            then
                'Only ' || counts.found_count || ' of ' || counts.crm_gift_count
                || ' CRM+ gifts that come from Raise find their Raise gift by the transaction id ('
                || '{{ var("transaction_id_fields") | join(", ") }}'
                || '): it counts as unknown, and gifts are matched by contact, amount and date.'
    end as key_note
from {{ ref('int_organizations') }} as organizations
left join counts on organizations.organization = counts.organization
