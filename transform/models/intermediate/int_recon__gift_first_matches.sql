-- What the ladder says of each CRM+ gift: a gift that was found by contact, amount and date takes its reversals along.
{{ config(materialized='view') }}
with accepted_candidates as (
    select
        organization,
        raise_gift_id,
        crm_gift_id,
        'donor_amount_date' as evidence
    from {{ ref('int_recon__gift_candidates') }}
    where is_unique
    union all
    select
        organization,
        raise_gift_id,
        crm_gift_id,
        'donor_sum_date' as evidence
    from {{ ref('int_recon__gift_sums') }}
    where is_unique
),

links as (
    select
        *,
        case when raise_gift_id is null then root_gift_id end as open_root_gift_id
    from {{ ref('int_recon__gift_links') }}
)

select
    links.organization,
    links.crm_gift_id,
    links.root_gift_id,
    links.is_reversing,
    links.is_claim,
    links.pair_key_without_part,
    links.reversal_evidence,
    coalesce(links.raise_gift_id, candidates.raise_gift_id) as raise_gift_id,
    coalesce(links.evidence, candidates.evidence) as evidence
from links
left join accepted_candidates as candidates
    on
        links.organization = candidates.organization
        and links.open_root_gift_id = candidates.crm_gift_id
