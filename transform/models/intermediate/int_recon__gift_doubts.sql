-- Raise gifts left over whose CRM+ gift may be there: one without a transaction id of Raise agrees in what could be
-- read, and what could not be read of either, the contact, the amount or the date, would decide. Nobody is to be
-- accused meanwhile.
with assessability as (
    select
        organization,
        donors_read_at,
        least(contacts_read_at, crm_plus_read_at_of_entity) as crm_contact_read_at
    from {{ ref('int_recon__assessability') }}
    where entity = 'gift'
),

quarantined_donors as (
    select distinct
        organization,
        record_key
    from {{ ref('int_recon__open_quarantine') }}
    where source = 'raise' and resource = 'donors'
),

left_raise_gifts as (
    select
        gifts.organization,
        gifts.gift_id,
        gifts.amount,
        gifts.currency,
        gifts.gift_date,
        gifts.contact_id,
        quarantined_donors.record_key is not null
        or coalesce(donor_links.is_contact_quarantined or donor_links.may_be_of_hidden_contact, false)
        -- the sync may not have followed a new key
        or {{ is_newer_than_crm_plus(
            'donor_links.changed_at',
            'coalesce(donor_links.unread_since, assessability.donors_read_at)',
            'assessability.crm_contact_read_at'
        ) }} as is_contact_unknown
    from {{ ref('int_recon__left_raise_gifts') }} as gifts
    left join {{ ref('int_raise__donor_links') }} as donor_links
        on
            gifts.organization = donor_links.organization
            and gifts.donor_id = donor_links.donor_id
    left join assessability on gifts.organization = assessability.organization
    left join quarantined_donors
        on
            gifts.organization = quarantined_donors.organization
            and gifts.donor_id = quarantined_donors.record_key
    where gifts.status_group = 'settled' and not gifts.is_deleted
),

accepted_gifts as (
    select
        organization,
        crm_gift_id
    from {{ ref('int_recon__gift_candidates') }}
    where is_unique
    union all
    select
        organization,
        crm_gift_id
    from {{ ref('int_recon__gift_sums') }}
    where is_unique
    union all
    select
        organization,
        crm_gift_id
    from {{ ref('int_recon__gift_joiners') }}
    where is_unique
),

unaccepted_gifts as (
    select crm_gifts.*
    from {{ ref('int_recon__left_crm_gifts') }} as crm_gifts
    anti join accepted_gifts
        on
            crm_gifts.organization = accepted_gifts.organization
            and crm_gifts.gift_id = accepted_gifts.crm_gift_id
    where not crm_gifts.is_reversing
),

contact_gifts as (
    select
        organization,
        amount,
        currency,
        gift_date,
        may_be_part,
        named_contact_id,
        unnest(case when len(contact_ids) = 0 then [null] else contact_ids end) as contact_id,
        is_contact_unknown
    from unaccepted_gifts
),

-- one by one, and the sum of those that may be parts of one gift
left_crm_gifts as (
    select
        organization,
        amount,
        currency,
        gift_date,
        contact_id,
        is_contact_unknown
    from contact_gifts
    union all
    select
        organization,
        case when count(*) = count(amount) then try_cast(sum(amount) as decimal(18, 2)) end as amount,
        case when count(distinct currency) = 1 then any_value(currency) end as currency,
        gift_date,
        contact_id,
        bool_or(is_contact_unknown) as is_contact_unknown
    from contact_gifts
    where may_be_part
    group by organization, contact_id, coalesce(contact_id, named_contact_id), gift_date
),

-- on one contact, and the amount or the date is not known
of_one_contact as (
    select
        raise_side.organization,
        raise_side.gift_id as raise_gift_id
    from left_raise_gifts as raise_side
    inner join left_crm_gifts as crm_side
        on
            raise_side.organization = crm_side.organization
            and raise_side.contact_id = crm_side.contact_id
    where
        (crm_side.amount is null or crm_side.gift_date is null or raise_side.gift_date is null)
        and coalesce(abs({{ wide('raise_side.amount') }} - crm_side.amount) <= {{ var('amount_tolerance') }}, true)
        and coalesce(abs(raise_side.gift_date - crm_side.gift_date) <= {{ var('date_tolerance_days') }}, true)
        and coalesce(raise_side.currency = crm_side.currency, true)
),

-- of one amount, and the contact of one side is not known
of_one_amount as (
    select
        raise_side.organization,
        raise_side.gift_id as raise_gift_id
    from left_raise_gifts as raise_side
    inner join left_crm_gifts as crm_side
        on
            raise_side.organization = crm_side.organization
            and raise_side.amount = crm_side.amount
            and (raise_side.is_contact_unknown or crm_side.is_contact_unknown)
    where
        coalesce(abs(raise_side.gift_date - crm_side.gift_date) <= {{ var('date_tolerance_days') }}, true)
        and coalesce(raise_side.currency = crm_side.currency, true)
)

select
    organization,
    raise_gift_id
from of_one_contact
union distinct
select
    organization,
    raise_gift_id
from of_one_amount
