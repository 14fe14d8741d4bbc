-- The CRM+ side of each match, and of each orphan, in one row.
with quarantined_gifts as (
    select distinct
        organization,
        record_key as gift_id
    from {{ ref('int_recon__open_quarantine') }}
    where source = 'crm_plus' and resource = 'gifts' and record_key is not null
),

matched_gifts as (
    select
        matches.raise_gift_id,
        matches.orphan_gift_id,
        matches.evidence,
        facts.*,
        quarantined_gifts.gift_id is not null as is_quarantined
    from {{ ref('int_recon__gift_matches') }} as matches
    inner join {{ ref('int_crm_plus__gift_facts') }} as facts
        on
            matches.organization = facts.organization
            and matches.crm_gift_id = facts.gift_id
    left join quarantined_gifts
        on
            matches.organization = quarantined_gifts.organization
            and matches.crm_gift_id = quarantined_gifts.gift_id
)

select
    organization,
    raise_gift_id,
    orphan_gift_id,
    case
        when bool_or(evidence = 'override') then 'override'
        when bool_or(evidence = 'transaction') then 'transaction'
        else min(evidence)
    end as evidence,
    coalesce(min(gift_id) filter (where not is_reversing), min(gift_id)) as crm_id,
    list(gift_id order by gift_id) as crm_gift_ids,
    count(*) filter (where not is_reversing) as gift_count,
    count(*) filter (where is_reversing) as reversal_count,
    list(amount order by gift_id) filter (where not is_reversing) as amounts,
    list(base_amount order by gift_id) filter (where not is_reversing) as base_amounts,
    list(designated_costs order by gift_id) filter (where not is_reversing) as gift_costs,
    list(base_designated_costs order by gift_id) filter (where not is_reversing) as base_gift_costs,
    case when count(*) = count(amount) then cast(sum(amount) as decimal(18, 2)) end as net_amount,
    case when count(*) = count(base_amount) then cast(sum(base_amount) as decimal(18, 2)) end as base_net_amount,
    cast(sum(designated_costs) as decimal(18, 2)) as designated_costs,
    cast(sum(base_designated_costs) as decimal(18, 2)) as base_designated_costs,
    -- a currency that is not said is that of the others
    case when count(distinct currency) <= 1 then min(currency) end as currency,
    count(distinct currency) > 1 as has_several_currencies,
    case when count(distinct base_currency) = 1 then min(base_currency) end as base_currency,
    coalesce(
        arg_min(coalesce(resolved_contact_id, contact_id), gift_id) filter (where not is_reversing),
        arg_min(coalesce(resolved_contact_id, contact_id), gift_id)
    ) as crm_contact_id,
    list_sort(list(distinct resolved_contact_id) filter (where resolved_contact_id is not null)) as resolved_contact_ids,
    min(gift_date) filter (where not is_reversing) as first_gift_date,
    max(gift_date) filter (where not is_reversing) as last_gift_date,
    min(case when starts_with(gift_url, 'http') then gift_url end) as crm_url,
    max(changed_at) as changed_at,
    min(changed_at) filter (where gift_id = orphan_gift_id) as claimed_since,
    min(pair_key_without_part) as pair_key,
    min(pair_raise_id) as pair_raise_id,
    bool_or(is_quarantined) as is_quarantined
from matched_gifts
group by organization, raise_gift_id, orphan_gift_id
