-- Payments per year of each frequency, as people wrote it, typed, each row with what is wrong with it.
with lines as (
    {{ seed_rows('frequencies', ['source', 'value', 'payments_per_year']) }}
),

typed as (
    select
        line,
        line_text,
        line_problem,
        lower(source) as source,
        regexp_replace(lower(value), '[ -]', '', 'g') as value,
        try_cast(payments_per_year as decimal(9, 2)) as payments_per_year
    from lines
),

judged as (
    select
        line,
        line_text,
        source,
        value,
        payments_per_year,
        case
            when line_problem is not null then line_problem
            when not coalesce(source in ('raise', 'crm_plus'), false) then 'The source is neither raise nor crm_plus.'
            when value is null then 'The value is missing.'
            when not coalesce(payments_per_year > 0, false) then 'The payments per year are no positive number.'
        end as problem
    from typed
)

select
    * replace (
        coalesce(
            problem,
            {{ seed_row_repeats(
                ['source', 'value'],
                'A row above names the same value.'
            ) }}
        ) as problem
    )
from judged
