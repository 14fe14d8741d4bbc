-- CRM+ gifts that join a match which is not complete without them. Where Raise says reversed and the match does not net
-- to zero: a reversal that names nothing, on a contact of the match, of the opposite amount of one of its gifts or of
-- their sum. Where Raise says settled and all was taken back: a gift that was entered again on the contact of the
-- donor.
{%- set days = var('date_tolerance_days') %}
with unnamed_reversals as (
    select
        organization,
        gift_id,
        -- a contact that is nowhere is still the same for both
        case when len(contact_ids) = 0 then [named_contact_id] else contact_ids end as contact_ids,
        is_contact_unknown,
        currency,
        gift_date
    from {{ ref('int_recon__left_crm_gifts') }}
    where is_unnamed_reversal
),

-- what takes a reversal back counts against it
reversal_nets as (
    select
        links.organization,
        links.root_gift_id,
        case when count(*) = count(facts.amount) then try_cast(sum(facts.amount) as decimal(18, 2)) end as amount
    from {{ ref('int_recon__gift_links') }} as links
    semi join unnamed_reversals
        on
            links.organization = unnamed_reversals.organization
            and links.root_gift_id = unnamed_reversals.gift_id
    inner join {{ ref('int_crm_plus__gift_facts') }} as facts
        on
            links.organization = facts.organization
            and links.crm_gift_id = facts.gift_id
    group by links.organization, links.root_gift_id
),

reversals as (
    select
        unnamed_reversals.*,
        reversal_nets.amount
    from unnamed_reversals
    inner join reversal_nets
        on
            unnamed_reversals.organization = reversal_nets.organization
            and unnamed_reversals.gift_id = reversal_nets.root_gift_id
),

reversed_raise_gifts as (
    select
        gifts.organization,
        gifts.gift_id,
        gifts.is_deleted
    from {{ ref('stg_raise__gifts') }} as gifts
    semi join reversals on gifts.organization = reversals.organization
    where gifts.status_group = 'reversed' and (not gifts.is_test_mode or {{ var('include_test_mode') }})
),

matched_gifts as (
    select
        matches.organization,
        matches.raise_gift_id,
        matches.root_gift_id,
        raise_gifts.is_deleted,
        facts.is_reversing,
        facts.amount,
        facts.currency,
        facts.base_amount,
        facts.gift_date,
        coalesce(facts.contact_ids, [coalesce(facts.resolved_contact_id, facts.contact_id)]) as contact_ids,
        facts.is_contact_quarantined or facts.contact_id is null as is_contact_unknown
    from {{ ref('int_recon__gift_first_matches') }} as matches
    inner join reversed_raise_gifts as raise_gifts
        on
            matches.organization = raise_gifts.organization
            and matches.raise_gift_id = raise_gifts.gift_id
    inner join {{ ref('int_crm_plus__gift_facts') }} as facts
        on
            matches.organization = facts.organization
            and matches.crm_gift_id = facts.gift_id
),

open_matches as (
    select
        *,
        {{ is_net_zero('of_gift') }} as is_taken_back
    from matched_gifts
    window
        of_match as (partition by organization, raise_gift_id),
        of_gift as (partition by organization, raise_gift_id, root_gift_id)
    qualify not {{ is_net_zero('of_match') }}
),

match_contacts as (
    select
        organization,
        raise_gift_id,
        any_value(is_deleted) as is_deleted,
        flatten(list(contact_ids)) as contact_ids,
        bool_or(is_contact_unknown) as is_contact_unknown
    from open_matches
    group by organization, raise_gift_id
),

open_gifts as (
    select *
    from open_matches
    where not is_reversing and not is_taken_back
),

-- what a reversal may take back: each of the gifts, and all of them at once
targets as (
    select
        organization,
        raise_gift_id,
        amount,
        currency,
        min(gift_date) as gift_date,
        count(*) as gift_count,
        bool_or(gift_date is null) as is_date_unknown,
        false as is_sum
    from open_gifts
    group by organization, raise_gift_id, amount, currency
    union all
    select
        organization,
        raise_gift_id,
        try_cast(sum(amount) as decimal(18, 2)) as amount,
        any_value(currency) as currency,
        max(gift_date) as gift_date,
        1 as gift_count,
        bool_or(gift_date is null) as is_date_unknown,
        true as is_sum
    from open_gifts
    group by organization, raise_gift_id
    having count(*) = count(amount) and count(distinct currency) <= 1
),

-- what is not known of either leaves it open
pairs as (
    select
        targets.organization,
        targets.raise_gift_id,
        targets.amount,
        targets.currency,
        targets.gift_count,
        targets.is_sum,
        match_contacts.is_deleted,
        reversals.gift_id as crm_gift_id,
        targets.amount is not null
        and reversals.amount is not null
        and not targets.is_date_unknown
        and reversals.gift_date is not null
        and list_has_any(match_contacts.contact_ids, reversals.contact_ids) as is_certain
    from targets
    inner join match_contacts
        on
            targets.organization = match_contacts.organization
            and targets.raise_gift_id = match_contacts.raise_gift_id
    inner join reversals
        on
            targets.organization = reversals.organization
            and coalesce(targets.amount = -reversals.amount, true)
    where
        coalesce(targets.currency = reversals.currency, true)
        and coalesce(reversals.gift_date >= targets.gift_date - {{ days }}, true)
        and (
            list_has_any(match_contacts.contact_ids, reversals.contact_ids)
            or (
                targets.amount = -reversals.amount
                and (match_contacts.is_contact_unknown or reversals.is_contact_unknown)
            )
        )
    -- one amount may be that of a gift and of the sum, as where there is but one gift
    qualify
        row_number() over (
            partition by targets.organization, targets.raise_gift_id, reversals.gift_id order by targets.is_sum
        ) = 1
),

-- a gift that was deleted in Raise does not compete with one that is there
reversal_candidates as (
    select *
    from pairs
    qualify not is_deleted or bool_and(is_deleted) over (partition by organization, crm_gift_id)
),

-- of several gifts of one match, one reversal each
judged_candidates as (
    select
        organization,
        raise_gift_id,
        crm_gift_id,
        is_certain
        and count(*) over (partition by organization, crm_gift_id) = 1
        and count(*) over (partition by organization, raise_gift_id, amount, currency, is_sum) <= gift_count
        and (not is_sum or count(*) over (partition by organization, raise_gift_id) = 1) as is_fit
    from reversal_candidates
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
),

taken_back_raise_gifts as (
    select *
    from {{ ref('int_recon__left_raise_gifts') }}
    where is_comparable and is_taken_back
),

left_crm_gifts as (
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
    anti join accepted_gifts
        on
            crm_gifts.organization = accepted_gifts.organization
            and crm_gifts.gift_id = accepted_gifts.crm_gift_id
    semi join taken_back_raise_gifts on crm_gifts.organization = taken_back_raise_gifts.organization
    where
        not crm_gifts.is_reversing
        and not crm_gifts.is_foreign
        and crm_gifts.amount > 0
        and crm_gifts.gift_date is not null
),

moved_gifts as (
    {{ agreeing_gifts('taken_back_raise_gifts', 'left_crm_gifts') }}
)

select
    organization,
    raise_gift_id,
    crm_gift_id,
    true as is_reversal,
    bool_and(is_fit) over (partition by organization, raise_gift_id) as is_unique
from judged_candidates
union all
select
    organization,
    raise_gift_id,
    crm_gift_id,
    false as is_reversal,
    count(*) over (partition by organization, raise_gift_id) = 1
    and count(*) over (partition by organization, crm_gift_id) = 1 as is_unique
from moved_gifts
