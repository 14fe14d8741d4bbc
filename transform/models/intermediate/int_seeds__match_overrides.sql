-- The pairs of gifts that people decided on, typed, each with what is wrong with it.
with lines as (
    {{ seed_rows('match_overrides', ['organization', 'raise_gift_id', 'crm_gift_id', 'reason', 'decided_by']) }}
),

typed as (
    select
        line,
        line_text,
        line_problem,
        organization,
        {{ integer_key('raise_gift_id') }} as raise_gift_id,
        {{ integer_key('crm_gift_id') }} as crm_gift_id,
        reason,
        decided_by
    from lines
),

judged as (
    select
        typed.line,
        typed.line_text,
        typed.organization,
        typed.raise_gift_id,
        typed.crm_gift_id,
        typed.reason,
        typed.decided_by,
        case
            when typed.line_problem is not null then typed.line_problem
            when organizations.organization is null then 'No such organization.'
            when typed.raise_gift_id is null then 'The id of the Raise gift is no positive integer.'
            when typed.crm_gift_id is null then 'The id of the CRM+ gift is no positive integer.'
            when typed.reason is null then 'The reason is missing.'
            when raise_gifts.gift_id is null then 'Raise never showed such a gift.'
            when crm_gifts.gift_id is null then 'CRM+ has no such gift.'
        end as problem
    from typed
    left join {{ ref('int_organizations') }} as organizations
        on typed.organization = organizations.organization
    left join {{ ref('stg_raise__gifts') }} as raise_gifts
        on
            typed.organization = raise_gifts.organization
            and typed.raise_gift_id = raise_gifts.gift_id
    left join {{ ref('stg_crm_plus__gifts') }} as crm_gifts
        on
            typed.organization = crm_gifts.organization
            and typed.crm_gift_id = crm_gifts.gift_id
            and not crm_gifts.is_deleted
)

select
    * replace (
        coalesce(
            problem,
            {{ seed_row_repeats(
                ['organization', 'crm_gift_id'],
                'A row above decides on the same CRM+ gift.'
            ) }}
        ) as problem
    )
from judged
