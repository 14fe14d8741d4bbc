-- What follows the third step of the ladder: Raise gifts still left over, and the sum of the CRM+ gifts of one contact
-- and one day that come from Raise without an id, as the older integration writes one for each project.
with accepted_candidates as (
    select
        organization,
        raise_gift_id,
        crm_gift_id
    from {{ ref('int_recon__gift_candidates') }}
    where is_unique
),

left_raise_gifts as (
    select raise_gifts.*
    from {{ ref('int_recon__left_raise_gifts') }} as raise_gifts
    anti join accepted_candidates
        on
            raise_gifts.organization = accepted_candidates.organization
            and raise_gifts.gift_id = accepted_candidates.raise_gift_id
    where raise_gifts.is_comparable and not raise_gifts.is_taken_back
),

parts as (
    select
        crm_gifts.organization,
        crm_gifts.gift_id,
        unnest(crm_gifts.contact_ids) as contact_id,
        crm_gifts.amount,
        crm_gifts.currency,
        crm_gifts.base_amount,
        crm_gifts.base_currency,
        crm_gifts.gift_date
    from {{ ref('int_recon__left_crm_gifts') }} as crm_gifts
    anti join accepted_candidates
        on
            crm_gifts.organization = accepted_candidates.organization
            and crm_gifts.gift_id = accepted_candidates.crm_gift_id
    where crm_gifts.may_be_part and not crm_gifts.is_reversing and crm_gifts.gift_date is not null
),

-- a sum is of several; where a part has another currency, only their base amounts make one
sums as (
    select
        organization,
        contact_id,
        gift_date,
        min(gift_id) as gift_id,
        list_sort(list(gift_id)) as gift_ids,
        case when count(distinct currency) > 1 then any_value(base_currency) else any_value(currency) end as currency,
        case
            when count(distinct currency) > 1 then try_cast(sum(base_amount) as decimal(18, 2))
            else try_cast(sum(amount) as decimal(18, 2))
        end as amount,
        case when count(distinct base_currency) = 1 then any_value(base_currency) end as base_currency,
        case when count(*) = count(base_amount) then sum(base_amount) end as base_amount
    from parts
    group by organization, contact_id, gift_date
    having
        count(*) > 1
        and count(*) = count(amount)
        and (count(distinct currency) <= 1 or (count(distinct base_currency) = 1 and count(*) = count(base_amount)))
),

agreeing_sums as (
    {{ agreeing_gifts('left_raise_gifts', 'sums') }}
),

-- a gift that was deleted in Raise does not compete with one that is there
neighbours as (
    select
        agreeing_sums.organization,
        agreeing_sums.raise_gift_id,
        agreeing_sums.crm_gift_id as first_gift_id,
        unnest(sums.gift_ids) as crm_gift_id,
        raise_gifts.is_deleted
    from agreeing_sums
    inner join sums
        on
            agreeing_sums.organization = sums.organization
            and agreeing_sums.contact_id = sums.contact_id
            and agreeing_sums.crm_gift_id = sums.gift_id
    inner join left_raise_gifts as raise_gifts
        on
            agreeing_sums.organization = raise_gifts.organization
            and agreeing_sums.raise_gift_id = raise_gifts.gift_id
),

candidates as (
    select
        organization,
        raise_gift_id,
        first_gift_id,
        crm_gift_id
    from neighbours
    qualify not is_deleted or bool_and(is_deleted) over (partition by organization, crm_gift_id)
),

-- a gift with several contacts may be part of several sums
counted as (
    select
        *,
        count(distinct first_gift_id) over (partition by organization, raise_gift_id) as sum_count,
        count(distinct raise_gift_id) over (partition by organization, crm_gift_id) as raise_gift_count
    from candidates
)

select
    organization,
    raise_gift_id,
    crm_gift_id,
    sum_count = 1 and bool_and(raise_gift_count = 1) over (partition by organization, raise_gift_id) as is_unique
from counted
