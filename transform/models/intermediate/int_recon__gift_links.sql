-- The first two steps of the ladder: which Raise gift each CRM+ gift belongs to by decision or by transaction id. A gift and
-- the reversals that name it are one family and go together. Where the key is not the key, what it found counts as chance.
{{ config(materialized='maintained_table') }}
with recursive trusted_pairs as (
    select
        pairs.organization,
        pairs.crm_gift_id,
        pairs.raise_gift_id
    from {{ ref('int_recon__gift_pairs') }} as pairs
    inner join {{ ref('int_recon__gift_key_health') }} as key_health
        on pairs.organization = key_health.organization
    where key_health.is_key_trusted
),

decisions as (
    select
        overrides.organization,
        overrides.crm_gift_id,
        overrides.raise_gift_id
    from {{ ref('int_seeds__match_overrides') }} as overrides
    where overrides.problem is null
),

crm_gifts as (
    select
        facts.organization,
        facts.gift_id,
        facts.reversed_gift_id,
        facts.is_reversing,
        facts.is_pair_usable and key_health.is_key_trusted as is_claim,
        facts.transaction_pair,
        coalesce(cast(facts.pair_raise_id as varchar), facts.pair_key_without_part) as pair_key_without_part,
        coalesce(decisions.raise_gift_id, trusted_pairs.raise_gift_id) as own_raise_gift_id,
        case
            when decisions.raise_gift_id is not null then 'override'
            when trusted_pairs.raise_gift_id is not null then 'transaction'
        end as own_evidence
    from {{ ref('int_crm_plus__gift_facts') }} as facts
    left join {{ ref('int_recon__gift_key_health') }} as key_health
        on facts.organization = key_health.organization
    left join decisions
        on
            facts.organization = decisions.organization
            and facts.gift_id = decisions.crm_gift_id
    left join trusted_pairs
        on
            facts.organization = trusted_pairs.organization
            and facts.gift_id = trusted_pairs.crm_gift_id
),

reversal_steps as (
    select
        crm_gifts.organization,
        crm_gifts.gift_id,
        named_gifts.gift_id as named_gift_id
    from crm_gifts
    inner join crm_gifts as named_gifts
        on
            crm_gifts.organization = named_gifts.organization
            and crm_gifts.reversed_gift_id = named_gifts.gift_id
    where crm_gifts.is_reversing
),

-- a reversal may itself have been reversed, and so on: all belong to the gift at the bottom
reversal_walks as (
    select
        organization,
        gift_id,
        named_gift_id as reached_gift_id
    from reversal_steps
    union distinct
    select
        reversal_walks.organization,
        reversal_walks.gift_id,
        reversal_steps.named_gift_id as reached_gift_id
    from reversal_walks
    inner join reversal_steps
        on
            reversal_walks.organization = reversal_steps.organization
            and reversal_walks.reached_gift_id = reversal_steps.gift_id
),

-- reversals that name each other in a circle reach no bottom and name nothing
named_originals as (
    select
        reversal_walks.organization,
        reversal_walks.gift_id,
        reversal_walks.reached_gift_id as root_gift_id
    from reversal_walks
    anti join reversal_steps
        on
            reversal_walks.organization = reversal_steps.organization
            and reversal_walks.reached_gift_id = reversal_steps.gift_id
),

unnamed_reversals as (
    select
        crm_gifts.organization,
        crm_gifts.gift_id,
        crm_gifts.transaction_pair,
        crm_gifts.pair_key_without_part,
        crm_gifts.is_claim,
        crm_gifts.own_evidence
    from crm_gifts
    anti join named_originals
        on
            crm_gifts.organization = named_originals.organization
            and crm_gifts.gift_id = named_originals.gift_id
    where crm_gifts.is_reversing
),

gifts_of_the_same_pair as (
    select
        unnamed_reversals.organization,
        unnamed_reversals.gift_id,
        any_value(crm_gifts.gift_id) as root_gift_id,
        count(*) as gift_count
    from unnamed_reversals
    inner join crm_gifts
        on
            unnamed_reversals.organization = crm_gifts.organization
            and unnamed_reversals.transaction_pair = crm_gifts.transaction_pair
    where not crm_gifts.is_reversing
    group by unnamed_reversals.organization, unnamed_reversals.gift_id
),

-- a reversal that names no gift belongs to the one gift that carries the same pair, whatever the pair says of Raise
paired_originals as (
    select
        organization,
        gift_id,
        root_gift_id
    from gifts_of_the_same_pair
    where gift_count = 1
),

-- or, of several parts of a gift, to none of them more than to the others
paired_reversals as (
    select
        organization,
        gift_id
    from gifts_of_the_same_pair
    union distinct
    select
        unnamed_reversals.organization,
        unnamed_reversals.gift_id
    from unnamed_reversals
    semi join crm_gifts
        on
            unnamed_reversals.organization = crm_gifts.organization
            and unnamed_reversals.pair_key_without_part = crm_gifts.pair_key_without_part
            and unnamed_reversals.is_claim
            and crm_gifts.is_claim
            and not crm_gifts.is_reversing
    union distinct
    select
        organization,
        gift_id
    from unnamed_reversals
    where own_evidence = 'transaction'
),

originals as (
    select * from named_originals
    union all
    select * from paired_originals
),

-- the reversals of a reversal that was found by its pair follow it
reversals as (
    select
        crm_gifts.organization,
        crm_gifts.gift_id,
        crm_gifts.own_raise_gift_id,
        crm_gifts.own_evidence,
        coalesce(paired_originals.root_gift_id, originals.root_gift_id) as root_gift_id
    from originals
    inner join crm_gifts
        on
            originals.organization = crm_gifts.organization
            and originals.gift_id = crm_gifts.gift_id
    left join paired_originals
        on
            originals.organization = paired_originals.organization
            and originals.root_gift_id = paired_originals.gift_id
),

-- what a reversal says of the gift that it names, where that gift says nothing itself: one whose pair no Raise gift has is
-- an orphan, unless it was decided otherwise
told_by_reversals as (
    select
        reversals.organization,
        reversals.root_gift_id,
        min(reversals.own_raise_gift_id) as raise_gift_id
    from reversals
    inner join crm_gifts as roots
        on
            reversals.organization = roots.organization
            and reversals.root_gift_id = roots.gift_id
    where
        reversals.own_raise_gift_id is not null
        and (not roots.is_claim or reversals.own_evidence = 'override')
    group by reversals.organization, reversals.root_gift_id
),

families as (
    select
        crm_gifts.organization,
        crm_gifts.gift_id,
        crm_gifts.is_reversing,
        crm_gifts.is_claim,
        crm_gifts.pair_key_without_part,
        crm_gifts.own_raise_gift_id,
        crm_gifts.own_evidence,
        coalesce(reversals.root_gift_id, crm_gifts.gift_id) as root_gift_id,
        reversals.root_gift_id as original_gift_id,
        reversals.root_gift_id is not null as names_its_original,
        case
            when named_originals.gift_id is not null then 'named'
            when paired_reversals.gift_id is not null then 'pair'
        end as reversal_evidence
    from crm_gifts
    left join named_originals
        on
            crm_gifts.organization = named_originals.organization
            and crm_gifts.gift_id = named_originals.gift_id
    left join paired_reversals
        on
            crm_gifts.organization = paired_reversals.organization
            and crm_gifts.gift_id = paired_reversals.gift_id
    left join reversals
        on
            crm_gifts.organization = reversals.organization
            and crm_gifts.gift_id = reversals.gift_id
)

select
    families.organization,
    families.gift_id as crm_gift_id,
    families.root_gift_id,
    families.names_its_original,
    families.is_reversing,
    families.is_claim,
    families.pair_key_without_part,
    families.reversal_evidence,
    case
        when families.own_evidence = 'override' then families.own_raise_gift_id
        when families.names_its_original
            then coalesce(roots.own_raise_gift_id, told_by_reversals.raise_gift_id)
        else coalesce(families.own_raise_gift_id, told_by_reversals.raise_gift_id)
    end as raise_gift_id,
    case
        when families.own_evidence = 'override' then 'override'
        when families.names_its_original and roots.own_evidence is not null then roots.own_evidence
        when told_by_reversals.raise_gift_id is not null then 'transaction'
        when families.own_raise_gift_id is not null and not families.names_its_original then 'transaction'
    end as evidence
from families
left join crm_gifts as roots
    on
        families.organization = roots.organization
        and families.original_gift_id = roots.gift_id
left join told_by_reversals
    on
        families.organization = told_by_reversals.organization
        and families.root_gift_id = told_by_reversals.root_gift_id
