-- Where each CRM+ gift that has to do with Raise belongs in the end: to a Raise gift, or to the row of an orphan.
{{ config(materialized='maintained_table') }}
with open_links as (
    select
        links.*,
        case when links.raise_gift_id is null then links.root_gift_id end as open_root_gift_id,
        -- what reverses a reversal goes where that goes
        case
            when links.is_reversing and links.is_claim then links.pair_key_without_part
            when roots.is_reversing and roots.is_claim then roots.pair_key_without_part
        end as reversal_pair_key
    from {{ ref('int_recon__gift_links') }} as links
    left join {{ ref('int_recon__gift_links') }} as roots
        on
            links.organization = roots.organization
            and links.root_gift_id = roots.crm_gift_id
            and links.crm_gift_id != roots.crm_gift_id
),

accepted_candidates as (
    select
        organization,
        raise_gift_id,
        crm_gift_id
    from {{ ref('int_recon__gift_candidates') }}
    where is_unique
),

links as (
    select
        links.organization,
        links.crm_gift_id,
        links.root_gift_id,
        links.is_reversing,
        links.is_claim,
        links.pair_key_without_part,
        links.reversal_pair_key,
        coalesce(links.raise_gift_id, candidates.raise_gift_id) as raise_gift_id,
        coalesce(links.evidence, case when candidates.raise_gift_id is not null then 'donor_amount_date' end) as evidence
    from open_links as links
    left join accepted_candidates as candidates
        on
            links.organization = candidates.organization
            and links.open_root_gift_id = candidates.crm_gift_id
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
    links.raise_gift_id,
    links.evidence,
    case
        when links.raise_gift_id is null
            then coalesce(
                orphans.crm_gift_id,
                -- a reversal that names no gift goes to the orphan of its pair, and stands alone where there is none
                orphans_by_pair.orphan_gift_id,
                case
                    when links.is_claim then links.crm_gift_id
                    when links.reversal_pair_key is not null then links.root_gift_id
                end
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
        and links.reversal_pair_key = orphans_by_pair.pair_key_without_part
where
    links.raise_gift_id is not null
    or links.is_claim
    or links.reversal_pair_key is not null
    or orphans.crm_gift_id is not null
