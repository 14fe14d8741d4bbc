-- Raise gifts that look for a CRM+ gift by contact, amount and date: those that neither a decision nor a transaction id ties
-- to one, and those that are settled and whose CRM+ gifts were all taken back, as when a gift is moved to another contact.
with linked_gifts as (
    select
        organization,
        raise_gift_id,
        crm_gift_id,
        is_reversing
    from {{ ref('int_recon__gift_links') }}
    where raise_gift_id is not null
),

linked_raise_gifts as (
    select
        organization,
        raise_gift_id
    from linked_gifts
    where not is_reversing
),

reversed_raise_gifts as (
    select
        organization,
        raise_gift_id
    from linked_gifts
    where is_reversing
),

taken_back_raise_gifts as (
    select distinct
        linked_gifts.organization,
        linked_gifts.raise_gift_id
    from linked_gifts
    semi join reversed_raise_gifts
        on
            linked_gifts.organization = reversed_raise_gifts.organization
            and linked_gifts.raise_gift_id = reversed_raise_gifts.raise_gift_id
    semi join linked_raise_gifts
        on
            linked_gifts.organization = linked_raise_gifts.organization
            and linked_gifts.raise_gift_id = linked_raise_gifts.raise_gift_id
    inner join {{ ref('int_crm_plus__gift_facts') }} as facts
        on
            linked_gifts.organization = facts.organization
            and linked_gifts.crm_gift_id = facts.gift_id
    window of_match as (partition by linked_gifts.organization, linked_gifts.raise_gift_id)
    qualify {{ is_net_zero('of_match') }}
),

left_gifts as (
    select
        gifts.organization,
        gifts.gift_id,
        gifts.donor_id,
        gifts.amount,
        gifts.gift_date,
        gifts.status_group,
        gifts.is_test_mode,
        gifts.is_deleted,
        false as is_taken_back
    from {{ ref('stg_raise__gifts') }} as gifts
    anti join linked_raise_gifts
        on
            gifts.organization = linked_raise_gifts.organization
            and gifts.gift_id = linked_raise_gifts.raise_gift_id
    union all
    select
        gifts.organization,
        gifts.gift_id,
        gifts.donor_id,
        gifts.amount,
        gifts.gift_date,
        gifts.status_group,
        gifts.is_test_mode,
        gifts.is_deleted,
        true as is_taken_back
    from {{ ref('stg_raise__gifts') }} as gifts
    semi join taken_back_raise_gifts
        on
            gifts.organization = taken_back_raise_gifts.organization
            and gifts.gift_id = taken_back_raise_gifts.raise_gift_id
    where gifts.status_group = 'settled' and not gifts.is_deleted
)

select
    left_gifts.organization,
    left_gifts.gift_id,
    left_gifts.donor_id,
    donor_links.crm_id as contact_id,
    left_gifts.amount,
    amounts.currency,
    amounts.base_amount,
    amounts.base_currency,
    left_gifts.gift_date,
    left_gifts.status_group,
    left_gifts.is_deleted,
    left_gifts.is_taken_back,
    -- a gift that never became money does not compete with the one that did
    left_gifts.status_group in ('settled', 'reversed')
    and (not left_gifts.is_test_mode or {{ var('include_test_mode') }})
    and donor_links.crm_id is not null
    and coalesce(left_gifts.amount > 0, false)
    and left_gifts.gift_date is not null as is_comparable
from left_gifts
left join {{ ref('int_raise__donor_links') }} as donor_links
    on
        left_gifts.organization = donor_links.organization
        and left_gifts.donor_id = donor_links.donor_id
left join {{ ref('int_raise__gift_amounts') }} as amounts
    on
        left_gifts.organization = amounts.organization
        and left_gifts.gift_id = amounts.gift_id
