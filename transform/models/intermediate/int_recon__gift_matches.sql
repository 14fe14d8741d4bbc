-- Where each CRM+ gift that has to do with Raise belongs in the end: to a Raise gift, or to the row of an orphan.
{{ config(materialized='maintained_table') }}
with joiners as (
    select
        organization,
        crm_gift_id,
        is_reversal,
        true as may_join,
        min(case when is_unique then raise_gift_id end) as raise_gift_id
    from {{ ref('int_recon__gift_joiners') }}
    group by organization, crm_gift_id, is_reversal
),

-- A condition on one side alone makes DuckDB compare every row with every other (1.5.5, 2026-12-01): it is a key here.
first_matches as (
    select
        *,
        case when raise_gift_id is null then root_gift_id end as open_root_gift_id
    from {{ ref('int_recon__gift_first_matches') }}
),

links as (
    select
        matches.*,
        joiners.is_reversal as joins_as_reversal,
        joiners.raise_gift_id as joined_raise_gift_id,
        -- what may belong to a match is no orphan, whether it is known to or not
        coalesce(joiners.may_join, false) as may_join,
        -- what reverses a claim goes where that goes, whatever its own pair says
        case
            when roots.is_claim then roots.pair_key_without_part
            when matches.is_claim then matches.pair_key_without_part
        end as claimed_pair_key,
        case
            when roots.is_claim then matches.root_gift_id
            when matches.is_claim then matches.crm_gift_id
        end as claiming_gift_id
    from first_matches as matches
    left join {{ ref('int_recon__gift_links') }} as roots
        on
            matches.organization = roots.organization
            and matches.root_gift_id = roots.crm_gift_id
            and matches.crm_gift_id != roots.crm_gift_id
    left join joiners
        on
            matches.organization = joiners.organization
            and matches.open_root_gift_id = joiners.crm_gift_id
),

-- claims that no Raise gift explains
orphans as (
    select
        organization,
        crm_gift_id,
        pair_key_without_part
    from links
    where raise_gift_id is null and is_claim and not is_reversing
),

orphans_by_pair as (
    select
        organization,
        pair_key_without_part,
        min(crm_gift_id) as orphan_gift_id
    from orphans
    group by organization, pair_key_without_part
)

select
    links.organization,
    links.crm_gift_id,
    links.is_reversing,
    coalesce(links.raise_gift_id, links.joined_raise_gift_id) as raise_gift_id,
    links.evidence,
    case
        when links.joined_raise_gift_id is not null and links.joins_as_reversal and links.reversal_evidence is null
            then 'amount'
        else links.reversal_evidence
    end as reversal_evidence,
    links.joined_raise_gift_id is not null and not links.joins_as_reversal as is_moved,
    case
        when links.raise_gift_id is null and not links.may_join
            then coalesce(
                orphans.crm_gift_id,
                -- a reversal that names no gift goes to the orphan of its pair, and stands alone where there is none
                orphans_by_pair.orphan_gift_id,
                links.claiming_gift_id
            )
    end as orphan_gift_id
from links
left join orphans
    on
        links.organization = orphans.organization
        and links.root_gift_id = orphans.crm_gift_id
left join orphans_by_pair
    on
        links.organization = orphans_by_pair.organization
        and links.claimed_pair_key = orphans_by_pair.pair_key_without_part
where
    links.raise_gift_id is not null
    or links.joined_raise_gift_id is not null
    or (links.claiming_gift_id is not null and not links.may_join)
