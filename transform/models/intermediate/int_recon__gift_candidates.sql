-- The third step of the ladder: CRM+ gifts and Raise gifts left over on the same contact, of the same amount and within the
-- same days. Which of them is accepted is a matter of uniqueness; one that carries the pair of another system never is.
with left_raise_gifts as (
    select *
    from {{ ref('int_recon__left_raise_gifts') }}
    where is_comparable and not is_taken_back
),

left_crm_gifts as (
    select
        organization,
        gift_id,
        unnest(contact_ids) as contact_id,
        amount,
        currency,
        base_amount,
        base_currency,
        gift_date
    from {{ ref('int_recon__left_crm_gifts') }}
    where not is_reversing and amount > 0 and gift_date is not null
),

agreeing_gifts as (
    {{ agreeing_gifts('left_raise_gifts', 'left_crm_gifts') }}
),

neighbours as (
    select
        agreeing_gifts.organization,
        agreeing_gifts.raise_gift_id,
        agreeing_gifts.crm_gift_id,
        raise_gifts.is_deleted,
        crm_gifts.is_foreign
    from agreeing_gifts
    inner join left_raise_gifts as raise_gifts
        on
            agreeing_gifts.organization = raise_gifts.organization
            and agreeing_gifts.raise_gift_id = raise_gifts.gift_id
    inner join {{ ref('int_recon__left_crm_gifts') }} as crm_gifts
        on
            agreeing_gifts.organization = crm_gifts.organization
            and agreeing_gifts.crm_gift_id = crm_gifts.gift_id
),

-- a gift that was deleted in Raise does not compete with one that is there
candidates as (
    select
        organization,
        raise_gift_id,
        crm_gift_id,
        is_foreign
    from neighbours
    qualify not is_deleted or bool_and(is_deleted) over (partition by organization, crm_gift_id)
)

select
    organization,
    raise_gift_id,
    crm_gift_id,
    is_foreign,
    not is_foreign
    and count(*) filter (where not is_foreign) over (partition by organization, raise_gift_id) = 1
    and count(*) over (partition by organization, crm_gift_id) = 1 as is_unique
from candidates
