-- Where each contact ends up after merges. The recursion walks merged contacts only: they are few, contacts are many.
{{ config(materialized='maintained_table') }}
with recursive contacts as (
    select
        organization,
        contact_id,
        merged_into_contact_id,
        is_archived,
        is_deleted
    from {{ ref('stg_crm_plus__contacts') }}
),

quarantined_contacts as (
    select distinct
        organization,
        record_key as contact_id
    from {{ ref('int_recon__open_quarantine') }}
    where source = 'crm_plus' and resource = 'contacts' and record_key is not null
),

contact_merges as (
    select
        contacts.organization,
        contacts.contact_id,
        contacts.merged_into_contact_id,
        quarantined_contacts.contact_id is not null as is_quarantined
    from contacts
    left join quarantined_contacts
        on
            contacts.organization = quarantined_contacts.organization
            and contacts.contact_id = quarantined_contacts.contact_id
    where contacts.merged_into_contact_id is not null
),

merge_counts as (
    select count(*) as merge_count
    from contact_merges
),

-- each round doubles the length of the jumps, so that a chain of a thousand merges takes ten rounds; a jump that has come to
-- the end of its chain stays there
jumps as (
    select
        organization,
        contact_id,
        merged_into_contact_id as reached_contact_id,
        is_quarantined as is_passed_quarantined,
        1 as jump_length
    from contact_merges
    union all
    select
        jumps.organization,
        jumps.contact_id,
        coalesce(onward_jumps.reached_contact_id, jumps.reached_contact_id) as reached_contact_id,
        jumps.is_passed_quarantined or coalesce(onward_jumps.is_passed_quarantined, false) as is_passed_quarantined,
        jumps.jump_length * 2 as jump_length
    from jumps
    left join jumps as onward_jumps
        on
            jumps.organization = onward_jumps.organization
            and jumps.reached_contact_id = onward_jumps.contact_id
    where jumps.jump_length < (select merge_counts.merge_count from merge_counts)
),

-- no chain is longer than there are merges: what still stands on a merged contact after that many goes round in a circle
chain_ends as (
    select
        jumps.organization,
        jumps.contact_id,
        case when contact_merges.contact_id is null then jumps.reached_contact_id end as end_contact_id,
        jumps.is_passed_quarantined
    from jumps
    left join contact_merges
        on
            jumps.organization = contact_merges.organization
            and jumps.reached_contact_id = contact_merges.contact_id
    where jumps.jump_length >= (select merge_counts.merge_count from merge_counts)
),

ended as (
    select
        contacts.organization,
        contacts.contact_id,
        contacts.merged_into_contact_id is not null as is_merged,
        contacts.is_archived,
        contacts.is_deleted,
        case
            when contacts.merged_into_contact_id is null then contacts.contact_id
            else chain_ends.end_contact_id
        end as end_contact_id,
        coalesce(chain_ends.is_passed_quarantined, false) as is_passed_quarantined
    from contacts
    left join chain_ends
        on
            contacts.organization = chain_ends.organization
            and contacts.contact_id = chain_ends.contact_id
)

select
    ended.organization,
    ended.contact_id,
    ended.is_merged,
    ended.end_contact_id,
    -- a contact that was merged away may well vanish: what counts is whether the survivor is there
    case when not survivors.is_deleted then survivors.contact_id end as survivor_contact_id,
    case
        when not ended.is_merged and ended.is_deleted then 'deleted'
        when not ended.is_merged then 'not_merged'
        when ended.end_contact_id is null then 'cycle'
        when survivors.contact_id is null or survivors.is_deleted then 'missing_survivor'
        else 'merged'
    end as merge_state,
    coalesce(survivors.is_archived, false) as is_survivor_archived,
    ended.is_archived,
    ended.is_deleted,
    not ended.is_merged and not ended.is_archived and not ended.is_deleted as is_live,
    ended.is_passed_quarantined or end_quarantine.contact_id is not null as is_end_unknown
from ended
left join contacts as survivors
    on
        ended.organization = survivors.organization
        and ended.end_contact_id = survivors.contact_id
left join quarantined_contacts as end_quarantine
    on
        ended.organization = end_quarantine.organization
        and ended.end_contact_id = end_quarantine.contact_id
